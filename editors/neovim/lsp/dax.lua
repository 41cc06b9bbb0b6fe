-- For Neovim 0.11 and later: vim.lsp.enable("dax")
return {
  cmd = { "dax", "lsp" },
  filetypes = { "dax" },
  root_markers = { "dax.mod" },
}
