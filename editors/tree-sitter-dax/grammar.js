// The grammar of dax for editors. The grammar of record is lang/syntax/src/dax.pest; a test holds the two against each other.
//
// A line break ends a member, so breaks are tokens here and not blanks.

const PREC = { or: 1, and: 2, compare: 3, coalesce: 4, add: 5, multiply: 6, unary: 7, postfix: 8 };

module.exports = grammar({
  name: 'dax',

  word: ($) => $.identifier,

  extras: ($) => [/[ \t\r]/, $.comment, $.doc_comment],

  conflicts: ($) => [[$.path, $.name]],

  rules: {
    source_file: ($) => seq(optional($._breaks), optional(seq($._item, repeat(seq($._breaks, $._item)), optional($._breaks)))),

    _breaks: (_) => repeat1('\n'),
    _separators: (_) => repeat1(choice('\n', ',', ';')),
    _commas: (_) => repeat1(choice('\n', ',')),

    doc_comment: (_) => token(prec(1, /##[^\n]*/)),
    comment: (_) => token(/#[^\n]*/),

    _item: ($) => choice($.function, $.type_definition, $.field, $.command),

    function: ($) =>
      seq(
        'fn',
        field('name', $.identifier),
        optional($.type_parameters),
        $.parameters,
        '->',
        field('result', $._type),
        '=',
        optional($._breaks),
        field('body', $._expression),
      ),
    type_parameters: ($) => seq('<', $.identifier, repeat(seq(',', $.identifier)), '>'),
    parameters: ($) =>
      seq('(', optional($._commas), optional(seq($.parameter, repeat(seq($._commas, $.parameter)), optional($._commas))), ')'),
    parameter: ($) => seq(field('name', $.identifier), ':', field('type', $._type)),

    type_definition: ($) =>
      seq('type', field('name', $.identifier), optional($.type_parameters), '=', optional($._breaks), field('type', $._type)),

    // ---- members
    body: ($) =>
      seq('{', optional($._separators), optional(seq($._member, repeat(seq($._separators, $._member)), optional($._separators))), '}'),
    _member: ($) => choice($.field, $.command),
    field: ($) =>
      seq(
        optional(field('lead', $.identifier)),
        field('name', $.path),
        optional(seq(':', field('type', $._type))),
        field('operator', choice('=', '+=', '-=')),
        optional($._breaks),
        optional(field('strength', $.strength)),
        field('value', $._expression),
      ),
    strength: (_) => choice('default', 'override', 'sealed'),
    command: ($) => prec.right(seq(field('word', $.identifier), repeat($._argument), optional($.body))),
    _argument: ($) => choice(seq(':', field('type', $._type)), $._operand),
    path: ($) => prec.left(seq($.identifier, repeat(seq(token.immediate('.'), $.identifier)))),

    // ---- types
    _type: ($) => choice($._single_type, $.union_type, $.refined_type),
    union_type: ($) => prec.left(seq($._single_type, repeat1(seq('|', optional($._breaks), $._single_type)))),
    refined_type: ($) => prec.right(seq(choice($._single_type, $.union_type), 'where', $._operand)),
    _single_type: ($) => choice($.parenthesized_type, $.record_type, $.string, $.named_type, $.optional_type, $.keyed_type),
    parenthesized_type: ($) => seq('(', optional($._breaks), $._type, optional($._breaks), ')'),
    optional_type: ($) => prec(1, seq(choice($.parenthesized_type, $.record_type, $.string, $.named_type), '?')),
    keyed_type: ($) => prec(1, seq(choice($.parenthesized_type, $.record_type, $.named_type, $.optional_type), 'keyed', 'by', $.identifier)),
    named_type: ($) => prec.right(seq($.type_name, optional(choice($.type_arguments, $.range)))),
    type_name: ($) => prec.left(seq($.identifier, repeat(seq(token.immediate('.'), $.identifier)))),
    type_arguments: ($) => seq('<', $._type, repeat(seq(',', $._type)), '>'),
    range: ($) => seq(optional('-'), $.number, '..', optional('-'), $.number),
    record_type: ($) =>
      seq(
        '{',
        optional($._separators),
        optional(seq($.type_field, repeat(seq($._separators, $.type_field)), optional($._separators))),
        optional(seq('...', optional($._separators))),
        '}',
      ),
    type_field: ($) =>
      seq(
        field('name', $.identifier),
        optional('?'),
        ':',
        optional($._breaks),
        field('type', $._type),
        optional(seq('=', optional($._breaks), field('default', $._expression))),
      ),

    // ---- expressions; a map is none where a body could stand
    _expression: ($) => choice($._operand, $.map, alias($._map_binary, $.binary)),
    _operand: ($) =>
      choice(
        $.data,
        $.string,
        $.number,
        $.list,
        $.parenthesized,
        $.conditional,
        $.name,
        $.tagged,
        $.member,
        $.index,
        $.call,
        $.unary,
        $.binary,
      ),
    _map_binary: ($) => prec.left(PREC.add, seq($.map, choice('+', '==', '!=', '??'), optional($._breaks), $._expression)),
    binary: ($) => {
      const level = (power, ...operators) =>
        prec.left(
          power,
          seq(field('left', $._operand), field('operator', choice(...operators)), optional($._breaks), field('right', $._expression)),
        );
      return choice(
        level(PREC.or, 'or', '||'),
        level(PREC.and, 'and', '&&'),
        level(PREC.compare, '==', '!=', '<', '<=', '>', '>=', 'in'),
        level(PREC.coalesce, '??'),
        level(PREC.add, '+', '-'),
        level(PREC.multiply, '*', '/'),
      );
    },
    unary: ($) => prec(PREC.unary, seq(field('operator', choice('-', '!', 'not')), $._operand)),
    name: ($) => $.identifier,
    tagged: ($) => prec(PREC.postfix, seq(field('tag', $.identifier), field('text', alias($._immediate_string, $.string)))),
    member: ($) =>
      prec(PREC.postfix, seq(field('of', $._operand), choice(token.immediate('.'), token.immediate('?.')), field('name', $.identifier))),
    index: ($) =>
      prec(PREC.postfix, seq(field('of', $._operand), token.immediate('['), optional($._breaks), $._expression, optional($._breaks), ']')),
    call: ($) => prec(PREC.postfix, seq(field('function', $._operand), field('arguments', $.arguments))),
    arguments: ($) =>
      seq(
        token.immediate('('),
        optional($._breaks),
        optional(seq($.argument, repeat(seq(',', optional($._breaks), $.argument)), optional(','), optional($._breaks))),
        ')',
      ),
    argument: ($) => seq(optional(seq(field('name', $.identifier), ':')), field('value', $._expression)),
    parenthesized: ($) => seq('(', optional($._breaks), $._expression, optional($._breaks), ')'),
    conditional: ($) =>
      prec.right(
        seq(
          'if',
          field('condition', $._expression),
          optional($._breaks),
          'then',
          optional($._breaks),
          field('then', $._expression),
          optional($._breaks),
          'else',
          optional($._breaks),
          field('else', $._expression),
        ),
      ),
    list: ($) =>
      seq(
        '[',
        optional($._commas),
        optional(seq($.for_clause, optional($._commas))),
        optional(seq($._expression, repeat(seq($._commas, $._expression)), optional($._commas))),
        ']',
      ),
    map: ($) =>
      seq(
        '{',
        optional($._separators),
        optional(seq($.for_clause, optional($._separators))),
        optional(seq($.entry, repeat(seq($._separators, $.entry)), optional($._separators))),
        '}',
      ),
    for_clause: ($) =>
      seq(
        'for',
        field('name', $.identifier),
        optional(seq(',', field('value', $.identifier))),
        'in',
        field('of', $._operand),
        optional(seq('if', field('condition', $._operand))),
        ':',
      ),
    entry: ($) =>
      seq(
        field('key', choice($.identifier, $.string)),
        ':',
        optional($._breaks),
        optional(field('strength', $.strength)),
        field('value', $._expression),
      ),

    // ---- leaves
    data: ($) => seq('data', $.string),
    string: ($) =>
      choice(
        seq('"', repeat(choice($.string_content, $.escape, $.interpolation)), token.immediate('"')),
        seq('"""', repeat(choice(alias(choice($.block_content, $.block_quotes), $.string_content), $.escape, $.interpolation)), token.immediate('"""')),
      ),
    _immediate_string: ($) =>
      choice(
        seq(token.immediate('"'), repeat(choice($.string_content, $.escape, $.interpolation)), token.immediate('"')),
        seq(
          token.immediate('"""'),
          repeat(choice(alias(choice($.block_content, $.block_quotes), $.string_content), $.escape, $.interpolation)),
          token.immediate('"""'),
        ),
      ),
    string_content: (_) => token.immediate(prec(1, /([^"\\$\n]|\$[^{"\\\n$])+|\$/)),
    block_content: (_) => token.immediate(prec(1, /([^"\\$]|\$[^{"\\$])+|\$/)),
    // Fewer quotes than three are a part of the text.
    block_quotes: (_) => token.immediate(/""?/),
    escape: (_) => token.immediate(prec(2, /\\(u\{[0-9A-Fa-f]*\}|[^\n])/)),
    interpolation: ($) => seq(token.immediate(prec(2, '${')), optional($._breaks), $._expression, optional($._breaks), '}'),
    number: (_) => /[0-9][0-9_]*(\.[0-9]+)?(%|[A-Za-z]+)?/,
    identifier: (_) => /[A-Za-z_][A-Za-z0-9_]*/,
  },
});
