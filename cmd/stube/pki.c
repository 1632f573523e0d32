/* cmd/stube/pki.c: stube pki: the certificates of a cluster, as files in one folder. */
#include "cmd/stube/pki.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/place.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "cmd/stube/commands.h"

struct pki_args {
	const char *dir, *server, *out, *output;
	struct strv addresses;
	int64_t lifetime, before;
	bool all;
};

#define OPT_STRUCT struct pki_args
/* clang-format off */
#define DIR_OPTION OPT(0, "dir", CLI_STRING, dir, "DIR", "folder of the authority (default: /etc/stube/pki)")
static const struct cli_option init_options[] = {
	OPT(0,   "lifetime", CLI_SECONDS, lifetime,  "DURATION", "how long the authority is valid (default: 87600h, ten years)"),
	DIR_OPTION,
	{0}
};
static const struct cli_option issue_options[] = {
	OPT(0,   "address",  CLI_LIST,    addresses, "NAME|IP",  "of a scheduler or node: where it is reached; may be repeated"),
	OPT(0,   "server",   CLI_STRING,  server,    "URL",      "of a node or person: the scheduler, https://HOST:PORT"),
	OPT(0,   "out",      CLI_STRING,  out,       "FILE",     "write it there (default: into the folder)"),
	OPT(0,   "lifetime", CLI_SECONDS, lifetime,  "DURATION", "how long it is valid (default: 8760h, a year)"),
	DIR_OPTION,
	{0}
};
static const struct cli_option renew_options[] = {
	OPT(0,   "before",   CLI_SECONDS, before,    "DURATION", "those that end within this time (default: 720h, thirty days)"),
	OPT(0,   "all",      CLI_FLAG,    all,       NULL,       "all of them"),
	OPT(0,   "lifetime", CLI_SECONDS, lifetime,  "DURATION", "how long the new ones are valid (default: 8760h, a year)"),
	DIR_OPTION,
	{0}
};
static const struct cli_option list_options[] = {
	OPT('o', "output",   CLI_CHOICE,  output,    "table|json", "how to print them"),
	DIR_OPTION,
	{0}
};
/* clang-format on */

#define HOUR            (3600 * (int64_t)NSEC_PER_SEC)
#define DEFAULT_DIR     "/etc/stube/pki"
#define FILES_MAX       4096

static void defaults(void *args)
{
	struct pki_args *a = args;

	a->dir = DEFAULT_DIR;
	a->lifetime = PKI_LIFETIME;
	a->before = 720 * HOUR;
}

static void init_defaults(void *args)
{
	defaults(args);
	((struct pki_args *)args)->lifetime = PKI_AUTHORITY_LIFETIME;
}

/* ---- issuing ---- */

static err *check_order(const struct pki_args *a, const struct pki_role_row *role)
{
	bool serves = role->server, calls = role->client;

	if (serves && a->addresses.count == 0)
		return err_new(EINVAL, "--address: a %s is reached somewhere: say where", role->word);
	if (!serves && a->addresses.count > 0)
		return err_new(EINVAL, "--address: only for a scheduler or node");
	if (calls && (!a->server || !str_starts_with(a->server, "https://")))
		return err_new(EINVAL, "--server: the scheduler's URL is needed: https://HOST:PORT");
	return NULL;
}

static err *issue_run(const struct cli_context *c, int *ret_status)
{
	const struct pki_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_close int dir = -1;
	char absolute[PATH_MAX], cwd[PATH_MAX] = "";
	const char *file;

	for (size_t i = 0; i < PKI_ROLE_COUNT; i++) {
		if (!str_equal(c->operands[0], pki_roles[i].word))
			continue;
		struct pki_order order = {
			.role = (enum pki_role)i, .server = a->server, .lifetime = a->lifetime,
			.addresses = (const char *const *)a->addresses.items,
			.name = c->operand_count > 1 ? c->operands[1] : i == PKI_SCHEDULER ? "scheduler" : NULL,
		};
		*ret_status = CLI_USAGE;
		TRY(check_order(a, &pki_roles[i]));
		if (!order.name)
			return err_new(EINVAL, "%s: a NAME is needed", pki_roles[i].word);
		if (!path_is_name(order.name) || strlen(order.name) > 63)
			return err_new(EINVAL, "'%s' is no name for a certificate", order.name);
		*ret_status = CLI_FAILURE;
		if (a->out) { /* the folder is another: relative names are the caller's */
			if (a->out[0] != '/' && !getcwd(cwd, sizeof(cwd)))
				return err_errno("find this folder");
			snprintf(absolute, sizeof(absolute), "%.2000s/%.2000s", a->out[0] == '/' ? "" : cwd, a->out);
			order.file = absolute;
		}
		TRY(arena_new(4 << 20, &arena));
		TRY(pki_dir_open(a->dir, false, &dir));
		TRY(err_wrap(pki_dir_issue(arena, dir, &order, &file), "'%s'", a->dir));
		*ret_status = CLI_OK;
		printf("%s%s%s\n", file[0] == '/' ? "" : a->dir, file[0] == '/' ? "" : "/", file);
		return NULL;
	}
	*ret_status = CLI_USAGE;
	return err_new(EINVAL, "'%s' is not one of scheduler|node|admin|viewer", c->operands[0]);
}

static err *init_run(const struct cli_context *c, int *ret_status)
{
	const struct pki_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_close int dir = -1;

	(void)ret_status;
	TRY(arena_new(1 << 20, &arena));
	TRY(pki_dir_open(a->dir, true, &dir));
	TRY(err_wrap(pki_dir_init(arena, dir, a->lifetime), "'%s'", a->dir));
	printf("%s/ca.crt\n", a->dir);
	return NULL;
}

/* ---- what is there ---- */

struct held {
	const char *file;
	struct pki_info info;
	struct api_config config; /* of a .conf */
	bool is_config;
};

static err *read_held(struct arena *arena, int dir_fd, const char *file, struct held *ret)
{
	const char *text, *cert;

	*ret = (struct held){ .file = file, .is_config = str_ends_with(file, ".conf") };
	TRY(pki_dir_read(arena, dir_fd, file, &text));
	cert = text;
	if (ret->is_config) {
		TRY(api_config_parse(arena, file, text, strlen(text), dir_fd, &ret->config));
		cert = ret->config.cert;
	}
	if (!cert)
		return err_new(EINVAL, "'%s': no client certificate in it", file);
	return err_wrap(pki_read(arena, cert, &ret->info), "'%s'", file);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static err *list_names(struct arena *arena, int dir_fd, const char ***ret, size_t *ret_count)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	err *e = NULL;

	if (!dir) {
		fd_close(fd);
		return err_errno("list the folder");
	}
	*ret_count = 0;
	*ret = (const char **)arena_array(arena, FILES_MAX, sizeof(**ret));
	if (!*ret)
		e = arena_error(arena);
	for (struct dirent *entry; !e && (entry = readdir(dir));) {
		if (!str_ends_with(entry->d_name, ".crt") && !str_ends_with(entry->d_name, ".conf"))
			continue;
		if (*ret_count == FILES_MAX) {
			e = err_new(E2BIG, "more than %d certificates", FILES_MAX);
			break;
		}
		(*ret)[*ret_count] = arena_strdup(arena, entry->d_name);
		if (!(*ret)[(*ret_count)++])
			e = arena_error(arena);
	}
	closedir(dir);
	if (!e)
		qsort(*ret, *ret_count, sizeof(**ret), by_name);
	return e;
}

static const char *role_word(const struct held *h)
{
	if (h->info.authority)
		return "authority";
	for (size_t i = 0; i < PKI_ROLE_COUNT; i++)
		if (h->info.groups[0] ? str_equal(h->info.groups[0], pki_roles[i].groups[0]) : !pki_roles[i].groups[0])
			return pki_roles[i].word;
	return "-";
}

static void list_json(struct json_writer *w, const struct held *h, const char *ends)
{
	json_begin_object(w);
	json_member_string(w, "file", h->file);
	json_member_string(w, "role", role_word(h));
	json_member_string(w, "name", h->info.name);
	json_member_string(w, "serial", h->info.serial);
	json_member_string(w, "notAfter", ends);
	json_key(w, "addresses");
	json_begin_array(w);
	for (size_t i = 0; h->info.addresses && h->info.addresses[i]; i++)
		json_string(w, h->info.addresses[i]);
	json_end_array(w);
	json_end_object(w);
}

static err *list_run(const struct cli_context *c, int *ret_status)
{
	static const char *const headings[] = { "FILE", "ROLE", "NAME", "ENDS", "DAYS", NULL };
	const struct pki_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_cli_table struct cli_table *table = NULL;
	auto_str struct str out = STR_INIT(16 << 20);
	struct json_writer w = JSON_WRITER(&out, 2);
	auto_close int dir = -1;
	char ends[CLOCK_TEXT_MAX], days[32];
	const char **names;
	struct held held;
	size_t count;

	(void)ret_status;
	TRY(arena_new(256 << 20, &arena));
	TRY(pki_dir_open(a->dir, false, &dir));
	TRY(list_names(arena, dir, &names, &count));
	TRY(cli_table_new(headings, &table));
	json_begin_array(&w);
	for (size_t i = 0; i < count; i++) {
		TRY(err_wrap(read_held(arena, dir, names[i], &held), "'%s'", a->dir));
		clock_text(held.info.ends, false, ends);
		snprintf(days, sizeof(days), "%lld", (long long)((held.info.ends - clock_real()) / (24 * HOUR)));
		const char *const cells[] = { held.file, role_word(&held), held.info.name, ends, days };
		cli_table_row(table, cells);
		list_json(&w, &held, ends);
	}
	json_end_array(&w);
	if (!str_equal(a->output, "json"))
		return cli_table_print(table, STDOUT_FILENO);
	TRY(str_check(&out));
	printf("%s\n", out.data);
	return NULL;
}

/* ---- renewing: the same certificate with a new key and new dates ---- */

static err *renew_one(struct arena *arena, int dir_fd, const struct pki_pair *authority, const struct held *h, int64_t lifetime)
{
	struct pki_request request = {
		.name = h->info.name, .groups = h->info.groups, .addresses = h->info.addresses, .server = h->info.server,
		.client = h->info.client, .lifetime = lifetime,
	};
	struct pki_pair pair;
	char stem[NAME_MAX];

	TRY(pki_issue(arena, authority, &request, &pair));
	if (h->is_config)
		return pki_dir_write_config(arena, dir_fd, h->file, h->config.server, h->config.name, &pair);
	snprintf(stem, sizeof(stem), "%.*s", (int)(strlen(h->file) - strlen(".crt")), h->file);
	return pki_dir_write(dir_fd, stem, &pair);
}

static err *renew_run(const struct cli_context *c, int *ret_status)
{
	const struct pki_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_close int dir = -1;
	struct pki_pair authority;
	const char **names;
	struct held held;
	size_t count;

	(void)ret_status;
	TRY(arena_new(256 << 20, &arena));
	TRY(pki_dir_open(a->dir, false, &dir));
	TRY(err_wrap(pki_dir_pair(arena, dir, "ca", &authority), "'%s': the authority", a->dir));
	TRY(list_names(arena, dir, &names, &count));
	for (size_t i = 0; i < count; i++) {
		bool named = c->operand_count == 0;
		for (size_t j = 0; j < c->operand_count; j++)
			named |= str_equal(c->operands[j], names[i]);
		if (!named || str_equal(names[i], "ca.crt"))
			continue;
		TRY(err_wrap(read_held(arena, dir, names[i], &held), "'%s'", a->dir));
		if (!a->all && c->operand_count == 0 && held.info.ends - clock_real() > a->before)
			continue;
		TRY(err_wrap(renew_one(arena, dir, &authority, &held, a->lifetime), "renew '%s/%s'", a->dir, names[i]));
		printf("%s/%s\n", a->dir, names[i]);
	}
	return NULL;
}

static const struct cli_command cmd_init = {
	.name = "init",
	.summary = "Make the authority of a cluster",
	.example = "stube pki init",
	.options = init_options,
	.args_size = sizeof(struct pki_args),
	.defaults = init_defaults,
	.run = init_run,
};
static const struct cli_command cmd_issue = {
	.name = "issue",
	.operands = "scheduler | node NAME | admin NAME | viewer NAME",
	.summary = "Issue a certificate for a program or a person",
	.example = "stube pki issue scheduler --address scheduler.example.org --address 10.0.0.1\n"
		   "stube pki issue node state-1 --address 10.0.0.11 --server https://10.0.0.1:6443\n"
		   "stube pki issue admin erika --server https://10.0.0.1:6443",
	.notes = "A scheduler gets scheduler.crt and scheduler.key; nodes and people get one kubeconfig file each,\n"
		 "which holds the authority's certificate, their own, and its key.\n\n"
		 "  scheduler   serves the API\n"
		 "  node        its own Node and Pods only; serves logs and exec\n"
		 "  admin       everything\n"
		 "  viewer      reads everything",
	.options = issue_options,
	.args_size = sizeof(struct pki_args),
	.defaults = defaults,
	.min = 1,
	.max = 2,
	.run = issue_run,
};
static const struct cli_command cmd_renew = {
	.name = "renew",
	.operands = "[FILE]...",
	.summary = "Renew certificates that end soon, or these",
	.example = "stube pki renew\nstube pki renew node-state-1.conf",
	.notes = "Names, addresses and rights stay; key and dates are new. Schedulers and agents take renewed files by\n"
		 "themselves. FILEs are names in the folder. The authority itself is never renewed here.",
	.options = renew_options,
	.args_size = sizeof(struct pki_args),
	.defaults = defaults,
	.max = SIZE_MAX,
	.run = renew_run,
};
static const struct cli_command cmd_list = {
	.name = "list",
	.summary = "List certificates and when they end",
	.example = "stube pki list --output json | jq -r '.[].notAfter'",
	.options = list_options,
	.args_size = sizeof(struct pki_args),
	.defaults = defaults,
	.run = list_run,
};
static const struct cli_command *const subcommands[] = { &cmd_init, &cmd_issue, &cmd_renew, &cmd_list, NULL };

const struct cli_command cmd_pki = {
	.name = "pki",
	.summary = "Make and renew the certificates of a cluster",
	.example = "stube pki init\nstube pki issue admin erika --server https://10.0.0.1:6443",
	.subcommands = subcommands,
};
