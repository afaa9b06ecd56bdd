"""How report.json becomes pages: charts, words and layout. Knows nothing of models; runs in a child process."""
