((tagged
   tag: (identifier) @_tag
   text: (string (string_content) @injection.content))
  (#eq? @_tag "promql")
  (#set! injection.language "promql"))

((tagged
   tag: (identifier) @_tag
   text: (string (string_content) @injection.content))
  (#eq? @_tag "json")
  (#set! injection.language "json"))

((call
   function: (name (identifier) @_function)
   arguments: (arguments (argument value: (string (string_content) @injection.content))))
  (#eq? @_function "from_json")
  (#set! injection.language "json"))

([(comment) (doc_comment)] @injection.content
  (#set! injection.language "comment"))
