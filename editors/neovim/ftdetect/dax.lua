vim.filetype.add({ extension = { dax = "dax" }, filename = { ["dax.mod"] = "dax", ["dax.lock"] = "dax" } })
