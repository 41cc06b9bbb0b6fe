project = "checkout"
edition = 2026
