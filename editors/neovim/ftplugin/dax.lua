vim.bo.commentstring = "# %s"
vim.bo.comments = ":##,:#"
vim.bo.expandtab = true
vim.bo.shiftwidth = 2
vim.bo.tabstop = 2
vim.bo.iskeyword = "@,48-57,_"

-- With a parser of the language there are colours, folds and indents of its own.
if pcall(vim.treesitter.get_parser, 0, "dax") then
  pcall(vim.treesitter.start, 0, "dax")
end
