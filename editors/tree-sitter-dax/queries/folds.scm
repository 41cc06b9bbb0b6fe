[
  (body)
  (map)
  (list)
  (record_type)
  (parameters)
  (arguments)
  (parenthesized)
] @fold
