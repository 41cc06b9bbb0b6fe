#!/bin/sh
# Runs dax in the clone of the pipeline: COMMAND is the name of a command, ARGUMENTS has one argument a line.
# No word of either is split further, and none is a pattern of files.
set -euf
COMMAND="${COMMAND:-ci}"
case " $COMMAND" in
  *[!a-z\ -]* | *" -"*)
    echo "dax: COMMAND has the name of a command only, such as \`ci apply\`: put options into ARGUMENTS, one a line" >&2
    exit 2
    ;;
esac
git config --global --add safe.directory "$BITBUCKET_CLONE_DIR"
cd "$BITBUCKET_CLONE_DIR"
# Names of commands hold no spaces.
# shellcheck disable=SC2086
set -- $COMMAND
IFS='
'
for line in ${ARGUMENTS:-}; do
  line="${line%"$(printf '\r')"}"
  if [ -n "$line" ]; then set -- "$@" "$line"; fi
done
unset IFS COMMAND ARGUMENTS
exec /usr/local/bin/dax "$@"
