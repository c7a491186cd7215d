"""What pages and the API share: the visitor, the studio's parts, templates and languages."""
