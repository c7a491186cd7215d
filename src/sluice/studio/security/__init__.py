"""What keeps visitors and the site from harm: headers, forms, limits, texts and uploads."""
