-- For nvim-lspconfig: require("lspconfig").dax.setup({})
local util = require("lspconfig.util")

return {
  default_config = {
    cmd = { "dax", "lsp" },
    filetypes = { "dax" },
    root_dir = util.root_pattern("dax.mod"),
    single_file_support = true,
  },
  docs = { description = "dax: deployment as a typed language" },
}
