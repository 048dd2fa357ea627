"""What builds the book: mdBook's steps, and the script that calls mdBook."""
