"""The sections of the report, one module each: first the numbers, then the page that shows them."""
