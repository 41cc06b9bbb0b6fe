(function) @local.scope
(parameter name: (identifier) @local.definition)
(for_clause name: (identifier) @local.definition)
(for_clause value: (identifier) @local.definition)
(name (identifier) @local.reference)
