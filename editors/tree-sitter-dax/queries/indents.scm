[
  (body)
  (map)
  (list)
  (record_type)
  (parameters)
  (arguments)
  (parenthesized)
] @indent.begin

["}" "]" ")"] @indent.branch @indent.end
