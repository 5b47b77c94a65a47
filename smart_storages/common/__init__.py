"""What every room may use: names, secrets, arguments, content, async twins, versions of Django.

Nothing comes in and nothing goes out: these are functions and small classes without a setting, a
bucket or a request. They may not know any other room of the package, only its exceptions.
"""
