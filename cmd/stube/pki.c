/* cmd/stube/pki.c: stube pki: the certificates of a cluster, as files in one folder. */
#include "cmd/stube/pki.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
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
#define DEFAULT_DIR	"/etc/stube/pki"

static void defaults(void *args)
{
	struct pki_args *a = args;

	a->dir = DEFAULT_DIR;
	a->lifetime = PKI_LIFETIME;
	a->before = PKI_RENEW_BEFORE;
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
			snprintf(absolute, sizeof(absolute), "%.2000s%s%.2000s", cwd, *cwd ? "/" : "",
				 a->out);
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

static void list_json(struct json_writer *w, const struct pki_held *h, const char *ends)
{
	json_begin_object(w);
	json_member_string(w, "file", h->file);
	json_member_string(w, "role", pki_held_role(h));
	json_member_string(w, "name", h->info.name);
	json_member_string(w, "serial", h->info.serial);
	json_member_string(w, "notAfter", ends);
	json_key(w, "expired");
	json_bool(w, h->info.ends <= clock_real());
	json_key(w, "addresses");
	json_begin_array(w);
	for (size_t i = 0; h->info.addresses && h->info.addresses[i]; i++)
		json_string(w, h->info.addresses[i]);
	json_end_array(w);
	json_end_object(w);
}

/* "EXPIRED" is what nobody must overlook. */
static const char *days_text(const struct pki_held *h, char *buf, size_t size)
{
	int64_t left = h->info.ends - clock_real();

	if (left <= 0)
		return "EXPIRED";
	snprintf(buf, size, "%lld", (long long)(left / (24 * HOUR)));
	return buf;
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
	struct pki_held *held;
	size_t count;

	(void)ret_status;
	TRY(arena_new(256 << 20, &arena));
	TRY(pki_dir_open(a->dir, false, &dir));
	TRY(err_wrap(pki_held_list(arena, dir, &held, &count), "'%s'", a->dir));
	TRY(cli_table_new(headings, &table));
	json_begin_array(&w);
	for (size_t i = 0; i < count; i++) {
		clock_text(held[i].info.ends, false, ends);
		const char *const cells[] = { held[i].file, pki_held_role(&held[i]), held[i].info.name, ends,
					      days_text(&held[i], days, sizeof(days)) };
		cli_table_row(table, cells);
		list_json(&w, &held[i], ends);
	}
	json_end_array(&w);
	if (!str_equal(a->output, "json"))
		return cli_table_print(table, STDOUT_FILENO);
	TRY(str_check(&out));
	printf("%s\n", out.data);
	return NULL;
}

/* ---- renewing ---- */

static void file_path(const struct pki_args *a, const char *file, struct str *out)
{
	str_addf(out, "%s%s%s", file[0] == '/' ? "" : a->dir, file[0] == '/' ? "" : "/", file);
}

static bool is_wanted(const struct pki_args *a, const struct cli_context *c, const struct pki_held *h)
{
	if (str_equal(h->file, "ca.crt"))
		return false;
	for (size_t i = 0; i < c->operand_count; i++)
		if (str_equal(c->operands[i], h->file))
			return true;
	return c->operand_count == 0 && (a->all || h->info.ends - clock_real() <= a->before);
}

static bool is_held(const struct pki_held *held, size_t count, const char *file)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(held[i].file, file))
			return true;
	return false;
}

/* One that cannot be renewed keeps none of the others from it. */
static err *renew_run(const struct cli_context *c, int *ret_status)
{
	const struct pki_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_close int dir = -1;
	struct pki_pair authority;
	struct pki_held *held;
	err *errors = NULL;
	size_t count;

	(void)ret_status;
	TRY(arena_new(256 << 20, &arena));
	TRY(pki_dir_open(a->dir, false, &dir));
	TRY(err_wrap(pki_dir_pair(arena, dir, "ca", &authority), "'%s': the authority", a->dir));
	TRY(err_wrap(pki_held_list(arena, dir, &held, &count), "'%s'", a->dir));
	for (size_t i = 0; i < c->operand_count; i++)
		if (!is_held(held, count, c->operands[i]))
			return err_hint(err_new(ENOENT, "'%s': no certificate of this authority",
						c->operands[i]),
					"`stube pki list` names them.");
	for (size_t i = 0; i < count; i++) {
		auto_str struct str path = STR_INIT(2 * PATH_MAX);
		if (!is_wanted(a, c, &held[i]))
			continue;
		file_path(a, held[i].file, &path);
		err *e = pki_held_renew(arena, dir, &authority, &held[i], a->lifetime);
		if (e)
			errors = err_beside(errors, err_wrap(e, "renew '%s'", path.data));
		else
			printf("%s\n", path.data);
	}
	return errors;
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
	.notes = "Names, addresses and rights stay; key and dates are new. Schedulers and agents take "
		 "renewed files by\n"
		 "themselves. FILEs are as `stube pki list` names them. The authority itself is never "
		 "renewed here.",
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
