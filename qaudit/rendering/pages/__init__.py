"""What each section of the report shows, from report.json."""
