/* cmd/stube/info.c: stube info: what this machine offers and where things are. */
#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/node-check.h"
#include "agent/place.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "cmd/stube/commands.h"
#include "images/store.h"

struct info_args {
	const char *output;
};

#define OPT_STRUCT struct info_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('o', "output", CLI_CHOICE, output, "text|json", "how to print the result"),
	{0}
};
/* clang-format on */

/* One fact: its name in JSON, what people read before it, and how it is found out. */
struct fact {
	const char *key, *label;
	err *(*find)(const struct stube_globals *globals, struct str *out);
	bool number;
};

static err *find_version(const struct stube_globals *globals, struct str *out)
{
	(void)globals;
	str_add(out, stube_version);
	return NULL;
}

static err *find_kernel(const struct stube_globals *globals, struct str *out)
{
	struct utsname host;

	(void)globals;
	if (uname(&host) < 0)
		return err_errno("ask for the kernel's version");
	str_addf(out, "%s %s %s", host.sysname, host.release, host.machine);
	return NULL;
}

static err *find_user(const struct stube_globals *globals, struct str *out)
{
	(void)globals;
	str_addf(out, "%s (uid %u)", geteuid() == 0 ? "root" : "rootless", geteuid());
	return NULL;
}

/* Bundles hold environments, so their place should not outlive the machine's power. */
static err *find_run(const struct stube_globals *globals, struct str *out)
{
	auto_str struct str path = STR_INIT(4096);
	struct statfs fs;

	(void)globals;
	TRY(place_run(&path));
	str_add(out, path.data);
	/* The folder is made by the first run; its nearest ancestor that exists tells. */
	while (statfs(path.data, &fs) < 0) {
		char *slash = strrchr(path.data, '/');
		if (errno != ENOENT || !slash || slash == path.data)
			return NULL;
		*slash = '\0';
	}
	if (fs.f_type != TMPFS_MAGIC)
		str_add(out, " (not a tmpfs: what bundles hold reaches a disk)");
	return NULL;
}

static err *find_store(const struct stube_globals *globals, struct str *out)
{
	return image_store_place(globals->store, out);
}

/* Counting needs the store; a machine without one has no images, and `info` must not make one. */
static err *find_images(const struct stube_globals *globals, struct str *out)
{
	auto_str struct str place = STR_INIT(4096);
	auto_arena struct arena *arena = NULL;
	auto_store struct image_store *store = NULL;
	struct image_refs refs;

	TRY(image_store_place(globals->store, &place));
	if (access(place.data, F_OK) != 0) {
		str_add_char(out, '0');
		return NULL;
	}
	TRY(arena_new(64 << 20, &arena));
	TRY(image_store_open(place.data, IMAGE_STORE_SHARED, &store));
	TRY(image_store_refs(store, arena, &refs));
	str_addf(out, "%zu", refs.count);
	return NULL;
}

static err *find_layers(const struct stube_globals *globals, struct str *out)
{
	(void)globals;
	return node_check_layers(out);
}

static err *find_cgroup(const struct stube_globals *globals, struct str *out)
{
	(void)globals;
	return node_check_cgroup(out);
}

static err *find_manager(const struct stube_globals *globals, struct str *out)
{
	bool answers;

	(void)globals;
	return node_check_manager(NULL, NULL, &answers, out);
}

static err *find_seccomp(const struct stube_globals *globals, struct str *out)
{
	(void)globals;
	return node_check_seccomp(out);
}

/* clang-format off */
static const struct fact facts[] = {
	{ "version", "Stube",            find_version, false },
	{ "kernel",  "Kernel",           find_kernel, false },
	{ "user",    "Runs as",          find_user, false },
	{ "run",     "Run folder",       find_run,     false },
	{ "store",   "Image store",      find_store, false },
	{ "images",  "Images",           find_images, true },
	{ "layers",  "Layers are",       find_layers, false },
	{ "cgroup",  "cgroup",           find_cgroup, false },
	{ "cgroupManager", "Cgroup manager", find_manager, false },
	{ "seccomp", "Filter actions",   find_seccomp, false },
};
/* clang-format on */

static err *info_run(const struct cli_context *c, int *ret_status)
{
	const struct info_args *args = c->args;
	auto_str struct str out = STR_INIT(64 * 1024);
	struct json_writer w = JSON_WRITER(&out, 2);
	bool as_json = str_equal(args->output, "json");

	(void)ret_status;
	if (as_json)
		json_begin_object(&w);
	for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
		auto_str struct str value = STR_INIT(8192);

		TRY(err_wrap(facts[i].find(c->globals, &value), "%s", facts[i].key));
		TRY(str_check(&value));
		if (as_json && facts[i].number)
			json_member_uint(&w, facts[i].key, strtoull(value.data, NULL, 10));
		else if (as_json)
			json_member_string(&w, facts[i].key, value.data);
		else
			str_addf(&out, "%-15s %s\n", facts[i].label, value.data);
	}
	if (as_json) {
		json_end_object(&w);
		str_add_char(&out, '\n');
	}
	TRY(str_check(&out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}

const struct cli_command cmd_info = {
	.name = "info",
	.group = "Commands about Stube",
	.summary = "Show what this machine offers and where Stube keeps things",
	.example = "stube info --output json",
	.options = options,
	.args_size = sizeof(struct info_args),
	.run = info_run,
};
