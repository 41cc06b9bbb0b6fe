; Names first: what stands below wins where both match.

(identifier) @variable

(comment) @comment
(doc_comment) @comment.documentation

(string) @string
(escape) @string.escape
(interpolation ["${" "}"] @punctuation.special)
(number) @number

(source_file (command word: (identifier) @keyword))
(source_file (field lead: (identifier) @keyword))
(body (field lead: (identifier) @keyword))
(body (command word: (identifier) @property))
(body (field name: (path (identifier) @property)))
(body (field lead: (identifier) name: (path (identifier) @variable)))
(source_file (field name: (path (identifier) @variable)))
(entry key: (identifier) @property)
(type_field name: (identifier) @property)
(member name: (identifier) @property)
(keyed_type (identifier) @property)

(type_name (identifier) @type .)
(type_name (identifier) @module (identifier))
(type_definition name: (identifier) @type)
(type_parameters (identifier) @type)

(function name: (identifier) @function)
(parameter name: (identifier) @variable.parameter)
(argument name: (identifier) @variable.parameter)
(call function: (name (identifier) @function))
(call function: (member name: (identifier) @function))
(tagged tag: (identifier) @function.macro)

(strength) @keyword.modifier

["fn" "type" "if" "then" "else" "for" "in" "where" "keyed" "by" "data"] @keyword
(binary operator: ["or" "and" "in"] @keyword)
(unary operator: "not" @keyword)

(name (identifier) @keyword
  (#any-of? @keyword "true" "false" "none" "unset" "self"))
(command (name (identifier) @keyword)
  (#any-of? @keyword "to" "from" "with" "of" "extends" "keyed" "external" "hold" "on" "failure"))

["=" "+=" "-=" "->" ".." "|" "?"] @operator
["||" "&&" "==" "!=" "<" "<=" ">" ">=" "??" "+" "-" "*" "/" "!"] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," ";" ":"] @punctuation.delimiter
