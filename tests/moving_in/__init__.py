"""What the older packages document, done with ours: paths and settings change, as the pages say."""
