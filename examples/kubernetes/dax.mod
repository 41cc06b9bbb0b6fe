project = "shop"
edition = 2026
