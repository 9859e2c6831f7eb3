"""Reading scans and PDFs: files become pages, pages become lines of text with boxes and confidence."""
