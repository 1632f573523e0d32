/* base/cli.c: parsing of command lines by table. */
#include "base/cli.h"

#include <unistd.h>

#include "base/cli-internal.h"
#include "base/fd.h"

bool cli_is_end(const struct cli_option *o)
{
	return !o || (!o->long_name && !o->short_name && o->kind != CLI_HEADING);
}

bool cli_takes_argument(const struct cli_option *o)
{
	return o->kind != CLI_FLAG && o->kind != CLI_OPTIONAL && o->kind != CLI_HEADING;
}

void cli_path_text(const struct cli_path *path, struct str *out)
{
	str_add(out, path->program->name);
	for (size_t i = 0; i < path->depth; i++)
		str_addf(out, " %s", path->commands[i]->name);
}

/* --- words ----------------------------------------------------------------------------------- */

struct parse {
	const struct cli_option *options;
	void *args;
	char **argv; /* rest of the words */
	bool stop_at_operand, peers_words;
	bool help, usage, version;
	char **operands; /* in the place of the words, which are read before they are overwritten */
	size_t operand_count;
};

/* What options are stored into: on the stack, since commands are short and their options few. */
struct room {
	_Alignas(max_align_t) char bytes[2048];
};

static err *check_room(size_t size)
{
	return size <= sizeof(struct room) ? NULL : err_new(EFBIG, "the options need %zu bytes", size);
}

static const struct cli_option *find_long(const struct cli_option *options, const char *name, size_t len)
{
	for (const struct cli_option *o = options; !cli_is_end(o); o++)
		if (o->long_name && strlen(o->long_name) == len && strncmp(o->long_name, name, len) == 0)
			return o;
	return NULL;
}

static const struct cli_option *find_short(const struct cli_option *options, char c)
{
	for (const struct cli_option *o = options; !cli_is_end(o); o++)
		if (o->short_name == c && o->kind != CLI_HEADING)
			return o;
	return NULL;
}

/* What every program answers; false: no such word. */
static bool parse_question(struct parse *p, const char *name, size_t len)
{
	const struct {
		const char *name;
		bool known, *seen;
	} rows[] = {
		{ "help", true, &p->help },
		{ "version", true, &p->version },
		{ "usage", p->peers_words, &p->usage },
		{ "h", true, &p->help },
		{ "v", true, &p->version },
		{ "?", p->peers_words, &p->help },
		{ "V", p->peers_words, &p->version },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!rows[i].known || strlen(rows[i].name) != len || strncmp(rows[i].name, name, len) != 0)
			continue;
		*rows[i].seen = true;
		return true;
	}
	return false;
}

static err *parse_short(struct parse *p, const char *letters);

static err *parse_long(struct parse *p, const char *name)
{
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct cli_option *o = find_long(p->options, name, len);

	if (!o && len == 1 && p->peers_words)
		return parse_short(p, name);
	if (!o && len > 1 && !value && parse_question(p, name, len))
		return NULL;
	if (!o)
		return err_new(EINVAL, "unknown option '--%.*s'", (int)len, name);
	/* As Go programs' callers write them. */
	if (o->kind == CLI_FLAG && value)
		return cli_store_flag(o, value, p->args);
	if (o->kind == CLI_OPTIONAL)
		return cli_store(o, value ? value : "", p->args);
	if (cli_takes_argument(o) && !value) {
		/* In these words podman recognises which options a runtime has. */
		if (!*p->argv)
			return err_new(EINVAL, "--%s: requires an argument, %s", o->long_name, o->argument);
		value = *p->argv++;
	}
	return cli_store(o, value, p->args);
}

static err *parse_short(struct parse *p, const char *letters)
{
	for (const char *c = letters; *c; c++) {
		const struct cli_option *o = find_short(p->options, *c);
		const char *rest = p->peers_words && c[1] == '=' ? c + 2 : NULL;

		if (!o && parse_question(p, c, 1))
			continue;
		if (!o)
			return err_new(EINVAL, "unknown option '-%c'", *c);
		if (o->kind == CLI_FLAG && rest)
			return cli_store_flag(o, rest, p->args);
		if (!cli_takes_argument(o)) {
			TRY(cli_store(o, o->kind == CLI_OPTIONAL ? "" : NULL, p->args));
			continue;
		}
		const char *value = rest ? rest : c[1] ? c + 1 : *p->argv ? *p->argv++ : NULL;
		if (!value)
			return err_new(EINVAL, "-%c: requires an argument, %s", *c, o->argument);
		return cli_store(o, value, p->args);
	}
	return NULL;
}

/* "-root": the whole name of a long option, which no bundle of short ones spells by chance (decision 0171).
 */
static bool is_long_with_one_dash(struct parse *p, const char *name)
{
	size_t len = strcspn(name, "=");
	struct parse asked = *p;

	return p->peers_words && len > 1 &&
	       (find_long(p->options, name, len) || (!name[len] && parse_question(&asked, name, len)));
}

static err *parse_option(struct parse *p, const char *word)
{
	if (word[1] == '-')
		return parse_long(p, word + 2);
	return is_long_with_one_dash(p, word + 1) ? parse_long(p, word + 1) : parse_short(p, word + 1);
}

static err *parse_words(struct parse *p)
{
	bool options_ended = false;

	while (*p->argv) {
		char *word = *p->argv++;

		if (options_ended || word[0] != '-' || !word[1]) {
			p->operands[p->operand_count++] = word;
			if (p->stop_at_operand)
				options_ended = true;
		} else if (strcmp(word, "--") == 0) {
			options_ended = true;
		} else {
			TRY(parse_option(p, word));
		}
		if (p->help || p->usage || p->version)
			break;
	}
	p->operands[p->operand_count] = NULL;
	return NULL;
}

static void free_lists(const struct cli_option *options, void *args)
{
	for (const struct cli_option *o = options; !cli_is_end(o); o++)
		if (o->kind == CLI_LIST)
			strv_done((struct strv *)(void *)((char *)args + o->offset));
}

/* --- programs -------------------------------------------------------------------------------- */

static void default_report(const err *e)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	bool colour = cli_is_terminal(STDERR_FILENO);

	str_add(&text, colour ? "\x1b[1;31merror:\x1b[0m " : "error: ");
	err_format(e, &text);
	str_add_char(&text, '\n');
	if (err_first_hint(e))
		str_addf(&text, "hint: %s\n", err_first_hint(e));
	IGNORE(fd_write_all(STDERR_FILENO, text.data, text.len));
}

static void report(const struct cli_program *program, const err *e)
{
	(program->report ? program->report : default_report)(e);
}

static int usage_error(const struct cli_path *path, err *e)
{
	auto_str struct str command = STR_INIT(4096);

	cli_path_text(path, &command);
	auto_err err *hinted = err_hint(e, "see '%s --help'", command.data);
	report(path->program, hinted);
	return CLI_USAGE;
}

static int print(struct str *text)
{
	err *e = str_check(text);

	if (!e)
		e = fd_write_all(STDOUT_FILENO, text->data, text->len);
	if (!e)
		return CLI_OK;
	default_report(e);
	err_free(e);
	return CLI_FAILURE;
}

static int print_help(const struct cli_path *path)
{
	auto_str struct str text = STR_INIT(1 << 20);

	cli_print_help(path, &text);
	return print(&text);
}

static int print_usage(const struct cli_path *path)
{
	auto_str struct str text = STR_INIT(4096);

	cli_print_usage(path, &text);
	return print(&text);
}

static int print_version(const struct cli_program *program)
{
	if (program->version) {
		program->version();
		return CLI_OK;
	}
	auto_str struct str text = STR_INIT(4096);
	str_addf(&text, "%s version %s\n", program->name, stube_version);
	return print(&text);
}

static int print_document(const struct cli_program *program,
			  void (*printer)(const struct cli_program *, struct str *))
{
	auto_str struct str text = STR_INIT(4 << 20);

	printer(program, &text);
	return print(&text);
}

static err *check_operands(const struct cli_command *command, size_t count)
{
	if (count < command->min)
		return err_new(EINVAL, "needs %s", command->operands);
	if (count > command->max)
		return command->max > 0 ? err_new(EINVAL, "takes %s and no more", command->operands)
					: err_new(EINVAL, "takes no operand");
	return NULL;
}

static int call(const struct cli_path *path, const struct cli_command *command, struct parse *p,
		const void *globals)
{
	struct cli_context context = {
		.args = p->args,
		.globals = globals,
		.operands = p->operands,
		.operand_count = p->operand_count,
	};
	int status = CLI_OK;
	auto_err err *e = command->run(&context, &status);

	if (e) {
		report(path->program, e);
		if (status == CLI_OK)
			status = CLI_FAILURE;
	}
	return status;
}

/* --help and its like: what they ask for is printed. */
static bool answer(const struct cli_path *path, const struct parse *p, int *ret_status)
{
	if (p->help)
		*ret_status = print_help(path);
	else if (p->usage)
		*ret_status = print_usage(path);
	else if (p->version)
		*ret_status = print_version(path->program);
	return p->help || p->usage || p->version;
}

static int run_command(struct cli_path *path, const struct cli_command *command, char **argv,
		       const void *globals)
{
	static const struct cli_option none[] = { { 0 } };
	struct room args = { 0 };
	struct parse p = {
		.options = command->options ? command->options : none,
		.args = args.bytes,
		.argv = argv,
		.stop_at_operand = command->stop_at_operand,
		.peers_words = path->program->peers_words,
		.operands = argv,
	};
	err *e = check_room(command->args_size);
	int status = CLI_OK;

	if (!e && command->defaults)
		command->defaults(p.args);
	if (!e)
		e = parse_words(&p);
	if (!e && answer(path, &p, &status))
		;
	else if (e || (e = check_operands(command, p.operand_count)))
		status = usage_error(path, e);
	else
		status = call(path, command, &p, globals);
	free_lists(p.options, p.args);
	return status;
}

static const struct cli_command *find_command(const struct cli_command *const *commands, const char *name)
{
	for (; commands && *commands; commands++)
		if (strcmp((*commands)->name, name) == 0)
			return *commands;
	return NULL;
}

/* In the place of a subcommand. */
static bool asks_for_help(const struct cli_program *program, const char *word)
{
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return true;
	return program->peers_words && (strcmp(word, "-help") == 0 || strcmp(word, "-?") == 0);
}

/* Follow the words to a command: "image pack". */
static int dispatch(struct cli_path *path, const struct cli_command *const *commands, char **argv,
		    const void *globals, bool help)
{
	if (!*argv || asks_for_help(path->program, *argv)) {
		if (*argv || help)
			return print_help(path);
		return usage_error(path, err_new(EINVAL, "needs a command"));
	}
	const struct cli_command *command = find_command(commands, *argv);
	bool is_help = strcmp(*argv, "help") == 0 || (path->program->peers_words && strcmp(*argv, "h") == 0);
	if (!command && path->depth == 0 && is_help)
		return dispatch(path, commands, argv + 1, globals, true);
	if (!command)
		return usage_error(path, err_new(EINVAL, "unknown command '%s'", *argv));
	path->commands[path->depth++] = command;
	if (command->subcommands)
		return dispatch(path, command->subcommands, argv + 1, globals, help);
	return help ? print_help(path) : run_command(path, command, argv + 1, globals);
}

static int hidden_documents(const struct cli_program *program, char **argv, bool *ret_done)
{
	*ret_done = true;
	if (argv[1] && strcmp(argv[1], "--print-man") == 0)
		return print_document(program, cli_print_man);
	if (argv[1] && strcmp(argv[1], "--print-completion") == 0)
		return print_document(program, cli_print_completion);
	*ret_done = false;
	return CLI_OK;
}

static int run_program(struct cli_path *path, struct parse *globals)
{
	const struct cli_program *program = path->program;
	err *e = check_room(program->globals_size);
	int status;

	if (!e)
		e = parse_words(globals);
	if (e)
		return usage_error(path, e);
	if (answer(path, globals, &status))
		return status;
	e = program->setup ? program->setup(globals->args) : NULL;
	if (e) {
		report(program, e);
		err_free(e);
		return CLI_FAILURE;
	}
	return dispatch(path, program->commands, globals->operands, globals->args, false);
}

int cli_main(const struct cli_program *program, int argc, char **argv)
{
	static const struct cli_option none[] = { { 0 } };
	struct cli_path path = { .program = program };
	bool done;

	/* Without a name the words would begin in the environment. */
	if (argc < 1)
		return CLI_USAGE;
	int status = hidden_documents(program, argv, &done);

	if (done)
		return status;
	if (program->main)
		return run_command(&path, program->main, argv + 1, NULL);
	struct room globals = { 0 };
	struct parse p = {
		.options = program->options ? program->options : none,
		.args = globals.bytes,
		.argv = argv + 1,
		.stop_at_operand = true,
		.peers_words = program->peers_words,
		.operands = argv + 1,
	};
	status = run_program(&path, &p);
	free_lists(p.options, p.args);
	return status;
}

bool cli_is_terminal(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}
