-- Without any other plugin: require("dax").setup({ cmd = { "dax", "lsp" } })
local M = {}

-- The folder with the dax.mod above a file, or nothing.
local function root_of(path)
  local folder = vim.fn.fnamemodify(path, ":p:h")
  local found = vim.fn.findfile("dax.mod", vim.fn.fnameescape(folder) .. ";")
  if found == "" then
    return nil
  end
  return vim.fn.fnamemodify(found, ":p:h")
end

local clients = {}

-- One server for each project.
local function start(buffer, options)
  local root = root_of(vim.api.nvim_buf_get_name(buffer)) or vim.fn.getcwd()
  local config = vim.tbl_extend("force", { name = "dax", cmd = { "dax", "lsp" }, root_dir = root }, options or {})
  if vim.lsp.start then
    vim.lsp.start(config, { bufnr = buffer })
    return
  end
  clients[root] = clients[root] or vim.lsp.start_client(config)
  vim.lsp.buf_attach_client(buffer, clients[root])
end

-- Runs a command of the server for the file that is open.
local function execute(name, ...)
  vim.lsp.buf.execute_command({ command = name, arguments = { vim.uri_from_bufnr(0), ... } })
end

function M.setup(options)
  vim.api.nvim_create_autocmd("FileType", {
    pattern = "dax",
    callback = function(event)
      start(event.buf, options)
    end,
  })
  vim.api.nvim_create_user_command("DaxPlan", function(args)
    execute("dax.plan", args.args)
  end, { nargs = 1 })
  vim.api.nvim_create_user_command("DaxWhy", function(args)
    execute("dax.why", args.args)
  end, { nargs = 1 })
  -- Lenses with references open the list of them.
  vim.lsp.commands = vim.lsp.commands or {}
  vim.lsp.commands["dax.showReferences"] = function(command)
    local position = command.arguments[2]
    vim.api.nvim_win_set_cursor(0, { position.line + 1, position.character })
    vim.lsp.buf.references()
  end
end

return M
