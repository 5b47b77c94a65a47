"""System checks of direct uploads; none of them talks to a server."""
