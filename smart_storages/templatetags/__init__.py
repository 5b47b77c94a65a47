"""Template tags, where Django looks for them.

Files of rows come in from a template, and URLs go out. It may not know settings or requests.
"""
