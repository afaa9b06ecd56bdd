"""The arrows of an audit; one file an arrow, one public function a file."""
