"""Starts the studio's processes, keeps them running, and does its work of every night."""
