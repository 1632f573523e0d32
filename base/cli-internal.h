/* base/cli-internal.h: what the parser and the printers of command lines share. */
#pragma once
#include "base/cli.h"
#include "base/str.h"

/* Whether the row takes an argument, and whether it is an option at all. */
bool cli_takes_argument(const struct cli_option *o);
bool cli_is_end(const struct cli_option *o);

/* The argument of an option into its member of args; cli_store_flag: "true", "0" of a flag. */
err *cli_store(const struct cli_option *o, const char *value, void *args) MUST_CHECK;
err *cli_store_flag(const struct cli_option *o, const char *value, void *args) MUST_CHECK;

/* A command and the names that lead to it: "stube image pack". */
struct cli_path {
	const struct cli_program *program;
	const struct cli_command *commands[4];
	size_t depth;
};
void cli_path_text(const struct cli_path *path, struct str *out);

/* The printers. help: of the whole program when path->depth is 0. */
void cli_print_usage(const struct cli_path *path, struct str *out);
void cli_print_help(const struct cli_path *path, struct str *out);
void cli_print_man(const struct cli_program *program, struct str *out);
void cli_print_completion(const struct cli_program *program, struct str *out);
