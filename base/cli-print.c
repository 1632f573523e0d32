/* base/cli-print.c: --help, man pages and shell completion from the option tables. */
#include "base/cli-internal.h"

#include <ctype.h>

static const struct cli_option no_options[] = { { 0 } };

static const struct cli_command *last(const struct cli_path *path)
{
	return path->depth ? path->commands[path->depth - 1] : path->program->main;
}

static const struct cli_option *options_of(const struct cli_path *path)
{
	const struct cli_command *command = last(path);
	const struct cli_option *options = command ? command->options : path->program->options;

	return options ? options : no_options;
}

static const struct cli_command *const *commands_of(const struct cli_path *path)
{
	const struct cli_command *command = last(path);

	return command ? command->subcommands : path->program->commands;
}

/* "-t, --timeout SECONDS" */
static void option_synopsis(const struct cli_option *o, struct str *out)
{
	if (o->short_name)
		str_addf(out, "-%c", o->short_name);
	else
		str_add(out, "    ");
	if (o->long_name)
		str_addf(out, "%s--%s", o->short_name ? ", " : "", o->long_name);
	if (cli_takes_argument(o))
		str_addf(out, " %s", o->argument);
	else if (o->kind == CLI_OPTIONAL)
		str_addf(out, "[=%s]", o->argument);
}

static size_t synopsis_width(const struct cli_option *options)
{
	size_t width = 0;

	for (const struct cli_option *o = options; !cli_is_end(o); o++) {
		auto_str struct str text = STR_INIT(1024);

		if (o->hidden || o->kind == CLI_HEADING)
			continue;
		option_synopsis(o, &text);
		width = MAX(width, text.len);
	}
	return MIN(width, (size_t)32);
}

static void help_options(const struct cli_option *options, struct str *out)
{
	size_t width = synopsis_width(options);
	bool headed = false;

	for (const struct cli_option *o = options; !cli_is_end(o); o++) {
		auto_str struct str text = STR_INIT(1024);

		if (o->kind == CLI_HEADING)
			str_addf(out, "\n%s:\n", o->help);
		headed |= o->kind == CLI_HEADING;
		if (o->hidden || o->kind == CLI_HEADING)
			continue;
		if (!headed)
			str_add(out, "\nOptions:\n");
		headed = true;
		option_synopsis(o, &text);
		if (text.len > width)
			str_addf(out, "  %s\n  %*s  %s\n", text.data, (int)width, "", o->help);
		else
			str_addf(out, "  %-*s  %s\n", (int)width, text.data, o->help);
	}
}

static void help_commands(const struct cli_command *const *commands, struct str *out)
{
	size_t width = 0;

	for (const struct cli_command *const *c = commands; *c; c++)
		if (!(*c)->hidden)
			width = MAX(width, strlen((*c)->name));
	for (const struct cli_command *const *c = commands; *c; c++) {
		if ((*c)->group || c == commands)
			str_addf(out, "\n%s:\n", (*c)->group ? (*c)->group : "Commands");
		if (!(*c)->hidden)
			str_addf(out, "  %-*s  %s\n", (int)width, (*c)->name, (*c)->summary);
	}
}

static void help_example(const char *example, struct str *out)
{
	str_add(out, "\nExample:\n");
	while (*example) {
		size_t len = strcspn(example, "\n");

		str_addf(out, "  %.*s\n", (int)len, example);
		example += len + (example[len] == '\n');
	}
}

static void usage_line(const struct cli_path *path, struct str *out)
{
	const struct cli_command *command = last(path);

	cli_path_text(path, out);
	if (!cli_is_end(options_of(path)))
		str_add(out, " [OPTIONS]");
	if (commands_of(path))
		str_add(out, " COMMAND");
	else if (command && command->operands && *command->operands)
		str_addf(out, " %s", command->operands);
}

void cli_print_usage(const struct cli_path *path, struct str *out)
{
	str_add(out, "Usage: ");
	usage_line(path, out);
	str_add_char(out, '\n');
}

void cli_print_help(const struct cli_path *path, struct str *out)
{
	const struct cli_command *command = last(path);
	const char *example = command ? command->example : path->program->example;

	str_addf(out, "%s.\n\n", command ? command->summary : path->program->summary);
	cli_print_usage(path, out);
	if (commands_of(path))
		help_commands(commands_of(path), out);
	help_options(options_of(path), out);
	if (command && command->notes)
		str_addf(out, "\n%s\n", command->notes);
	if (example)
		help_example(example, out);
	if (commands_of(path)) {
		str_add(out, "\n'");
		cli_path_text(path, out);
		str_add(out, " COMMAND --help' tells more about a command.\n");
	}
}

/* --- man page, in mdoc(7) ---------------------------------------------------------------------- */

/* Text of a table as a macro line or a text line: nothing in it may act as a macro. */
static void man_text(struct str *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		str_add(out, "\\&");
	for (; *text; text++) {
		if (*text == '\\')
			str_add(out, "\\e");
		else if (*text == '-')
			str_add(out, "\\-");
		else
			str_add_char(out, *text);
	}
}

static void man_options(const struct cli_option *options, struct str *out)
{
	bool open = false;

	for (const struct cli_option *o = options; !cli_is_end(o); o++) {
		if (o->hidden || o->kind == CLI_HEADING)
			continue;
		if (!open)
			str_add(out, ".Bl -tag -width Ds\n");
		open = true;
		str_add(out, ".It ");
		if (o->short_name)
			str_addf(out, "Fl %c%s", o->short_name, o->long_name ? " , " : "");
		if (o->long_name)
			str_addf(out, "Fl \\-%s", o->long_name);
		if (cli_takes_argument(o) || o->kind == CLI_OPTIONAL)
			str_addf(out, " Ar %s", o->argument);
		str_add_char(out, '\n');
		man_text(out, o->help);
		str_add(out, ".\n");
	}
	if (open)
		str_add(out, ".El\n");
}

static void man_example(const char *example, struct str *out)
{
	if (!example)
		return;
	str_add(out, ".Bd -literal -offset indent\n");
	while (*example) {
		size_t len = strcspn(example, "\n");
		auto_str struct str line = STR_INIT(4096);

		str_add_bytes(&line, example, len);
		man_text(out, line.data);
		str_add_char(out, '\n');
		example += len + (example[len] == '\n');
	}
	str_add(out, ".Ed\n");
}

/* A line of notes; mdoc(7) wants each sentence to begin a line of its own. */
static void man_sentences(char *line, bool literal, struct str *out)
{
	for (char *end; *line; line = end) {
		char *stop = literal ? NULL : strstr(line, ". ");

		end = stop ? stop + 2 : line + strlen(line);
		if (stop)
			stop[1] = '\0';
		man_text(out, line);
		str_add_char(out, '\n');
	}
}

/* Notes: an empty line begins a paragraph, lines that begin with a blank are shown as they are. */
static void man_notes(const char *notes, struct str *out)
{
	bool literal = false, paragraph = true;

	for (const char *p = notes; p && *p; p += *p == '\n') {
		size_t len = strcspn(p, "\n");
		auto_str struct str line = STR_INIT(4096);

		str_add_bytes(&line, p, len);
		p += len;
		if (literal != (*line.data == ' ')) {
			literal = !literal;
			str_add(out, literal ? ".Bd -literal\n" : ".Ed\n");
		} else if (paragraph && len != 0) {
			str_add(out, ".Pp\n");
		}
		paragraph = len == 0;
		man_sentences(line.data, literal, out);
	}
	if (literal)
		str_add(out, ".Ed\n");
}

static void man_entries(const char *section, const char *macro, const struct cli_entry *entries, struct str *out)
{
	if (!entries)
		return;
	str_addf(out, ".Sh %s\n.Bl -tag -width Ds\n", section);
	for (; entries->name; entries++) {
		str_addf(out, ".It %s ", macro);
		man_text(out, entries->name);
		str_add_char(out, '\n');
		man_text(out, entries->text);
		str_add(out, ".\n");
	}
	str_add(out, ".El\n");
}

static void man_command(struct cli_path *path, struct str *out)
{
	const struct cli_command *command = last(path);

	if (command->hidden)
		return;
	if (command->subcommands) {
		for (const struct cli_command *const *c = command->subcommands; *c; c++) {
			path->commands[path->depth++] = *c;
			man_command(path, out);
			path->depth--;
		}
		return;
	}
	str_add(out, ".Ss ");
	for (size_t i = 0; i < path->depth; i++)
		str_addf(out, "%s%s", i ? " " : "", path->commands[i]->name);
	str_add(out, "\n.D1 Nm");
	for (size_t i = 0; i < path->depth; i++)
		str_addf(out, " Cm %s", path->commands[i]->name);
	if (command->options)
		str_add(out, " Op Ar OPTIONS");
	if (command->operands)
		str_addf(out, " Ar \"%s\"", command->operands);
	str_add_char(out, '\n');
	man_text(out, command->summary);
	str_add(out, ".\n");
	if (command->options)
		man_options(command->options, out);
	man_notes(command->notes, out);
	man_example(command->example, out);
}

static void upper(const char *text, struct str *out)
{
	for (; *text; text++)
		str_add_char(out, (char)toupper((unsigned char)*text));
}

void cli_print_man(const struct cli_program *program, struct str *out)
{
	struct cli_path path = { .program = program };
	const struct cli_command *only = program->main;

	str_add(out, ".Dd $Mdocdate$\n.Dt ");
	upper(program->name, out);
	str_addf(out, " 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd ", program->name);
	man_text(out, program->summary);
	str_addf(out, "\n.Sh SYNOPSIS\n.Nm\n.Op Ar OPTIONS\n");
	if (!only)
		str_add(out, ".Ar COMMAND\n");
	else if (only->operands)
		str_addf(out, ".Ar \"%s\"\n", only->operands);
	str_add(out, ".Sh DESCRIPTION\n");
	man_text(out, program->summary);
	str_add(out, ".\n");
	man_options(only ? (only->options ? only->options : no_options) :
			   (program->options ? program->options : no_options), out);
	if (only)
		man_notes(only->notes, out);
	if (program->commands) {
		str_add(out, ".Sh COMMANDS\n");
		for (const struct cli_command *const *c = program->commands; *c; c++) {
			path.commands[path.depth++] = *c;
			man_command(&path, out);
			path.depth--;
		}
	}
	man_entries("ENVIRONMENT", "Ev", program->environment, out);
	man_entries("FILES", "Pa", program->files, out);
	str_add(out, ".Sh EXIT STATUS\n0: success.\n1: failure; one line on standard error says what and why.\n"
		     "2: usage error.\nCommands that run a program pass on its status,\n"
		     "or 128 and the number of the signal that ended it.\n");
	const char *example = only ? only->example : program->example;
	if (example) {
		str_add(out, ".Sh EXAMPLES\n");
		man_example(example, out);
	}
}

/* --- completion for bash ----------------------------------------------------------------------- */

static void completion_words(const struct cli_option *options, struct str *out)
{
	for (const struct cli_option *o = options; !cli_is_end(o); o++)
		if (!o->hidden && o->long_name)
			str_addf(out, " --%s", o->long_name);
	str_add(out, " --help");
}

/* After an option with a fixed set of values: those, of this command, whose choices may be others than
 * another's. */
static void completion_choices(const struct cli_option *options, struct str *out)
{
	bool open = false;

	for (const struct cli_option *o = options; !cli_is_end(o); o++) {
		if (o->kind != CLI_CHOICE || !o->long_name)
			continue;
		if (!open)
			str_add(out, "\t\tcase $previous in\n");
		open = true;
		str_addf(out, "\t\t--%s", o->long_name);
		if (o->short_name)
			str_addf(out, "|-%c", o->short_name);
		str_add(out, ") words=\"");
		for (const char *p = o->argument; *p; p++)
			str_add_char(out, *p == '|' ? ' ' : *p);
		str_add(out, "\" ;;\n");
	}
	if (open)
		str_add(out, "\t\tesac\n");
}

static void completion_case(struct cli_path *path, struct str *out)
{
	const struct cli_command *const *commands = commands_of(path);

	str_add(out, "\t\"");
	for (size_t i = 0; i < path->depth; i++)
		str_addf(out, "%s%s", i ? " " : "", path->commands[i]->name);
	str_add(out, "\") words=\"");
	for (const struct cli_command *const *c = commands; c && *c; c++)
		if (!(*c)->hidden)
			str_addf(out, "%s ", (*c)->name);
	completion_words(options_of(path), out);
	str_add(out, "\"\n");
	completion_choices(options_of(path), out);
	str_add(out, "\t\t;;\n");
	for (const struct cli_command *const *c = commands; c && *c; c++) {
		if ((*c)->hidden)
			continue;
		path->commands[path->depth++] = *c;
		completion_case(path, out);
		path->depth--;
	}
}

/* A shell function's name: the program's with underscores. */
static void function_name(const char *name, struct str *out)
{
	str_add_char(out, '_');
	for (; *name; name++)
		str_add_char(out, *name == '-' ? '_' : *name);
}

void cli_print_completion(const struct cli_program *program, struct str *out)
{
	struct cli_path path = { .program = program };
	auto_str struct str name = STR_INIT(256);

	function_name(program->name, &name);
	str_addf(out, "# bash completion for %s\n%s()\n{\n", program->name, name.data);
	str_add(out, "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
		     "\tlocal words= command= word i\n"
		     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		     "\t\tword=${COMP_WORDS[i]}\n"
		     "\t\t[[ $word == -* ]] || command=\"${command:+$command }$word\"\n"
		     "\tdone\n"
		     "\twhile [[ -z $words ]]; do\n"
		     "\tcase $command in\n");
	completion_case(&path, out);
	str_add(out, "\tesac\n"
		     "\t[[ -n $words || -z $command ]] && break\n"
		     "\tif [[ $command == *\\ * ]]; then command=${command% *}; else command=; fi\n"
		     "\tdone\n"
		     "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
		     "\t[[ ${#COMPREPLY[@]} -gt 0 || $current == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
		     "}\n");
	str_addf(out, "complete -F %s %s\n", name.data, program->name);
}
