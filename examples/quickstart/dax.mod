project = "quickstart"
edition = 2026
