/* cmd/stube-runtime/common.c: from options to requests, shared by the commands. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "cmd/stube-runtime/init-image.h"
#include "cmd/stube-runtime/runtime.h"
#include "oci/config.h"
#include "runtime/annotations.h"
#include "runtime/namespaces.h"
#include "runtime/state.h"

err *runtime_root(struct arena *arena, const struct cli_context *c, const char **ret)
{
	const struct runtime_globals *g = c->globals;

	if (!g->root)
		return state_default_root(arena, ret);
	if (!*g->root)
		return err_new(EINVAL, "--root: is empty");
	*ret = g->root;
	return NULL;
}

err *runtime_manager(const struct cli_context *c, enum cgroup_manager *ret)
{
	const struct runtime_globals *g = c->globals;
	bool systemd = g->systemd_cgroup || str_equal(g->cgroup_manager, "systemd");

	if (g->systemd_cgroup && g->cgroup_manager && !str_equal(g->cgroup_manager, "systemd"))
		return err_new(EINVAL, "--systemd-cgroup contradicts --cgroup-manager=%s",
			       g->cgroup_manager);
	*ret = systemd				      ? CGROUP_SYSTEMD :
	       str_equal(g->cgroup_manager, "disabled") ? CGROUP_DISABLED :
							  CGROUP_CGROUPFS;
	return NULL;
}

/* Not rootless: user 0 of the initial user namespace, who has rights over the host. */
bool runtime_is_rootless(const struct cli_context *c)
{
	const struct runtime_globals *g = c->globals;

	if (g->rootless && !str_equal(g->rootless, "auto"))
		return str_equal(g->rootless, "true");
	return geteuid() != 0 || !namespaces_user_is_initial();
}

void runtime_log_warnings(const struct strv *warnings)
{
	for (size_t i = 0; i < warnings->count; i++)
		log_warning(warnings->items[i], NULL);
}

static void print_step(const struct step *row)
{
	log_debug("step", "name", row->name, "role", row->role == STEP_PARENT ? "parent" : "child", "why",
		  row->why, NULL);
}

void (*runtime_step_printer(const struct cli_context *c))(const struct step *row)
{
	const struct runtime_globals *g = c->globals;

	return g->debug || str_equal(g->log_level, "debug") ? print_step : NULL;
}

err *runtime_check_preserved(uint64_t count)
{
	const char *listen = getenv("LISTEN_FDS");
	uint64_t expected = 0;

	if (listen && !str_to_u64(listen, &expected))
		return err_new(EINVAL, "LISTEN_FDS: '%s' is no number", listen);
	if (count > 1024 || expected > 1024)
		return err_new(EINVAL, "--preserve-fds: too many");
	for (uint64_t i = 0; i < count; i++)
		/* Our own log is open already: it is never what the caller meant. */
		if (fcntl(3 + (int)i, F_GETFD) < 0 || 3 + (int)i == log_fd())
			return err_new(EBADF, "--preserve-fds: descriptor %d is not open", 3 + (int)i);
	return NULL;
}

/* What was meant for another process, which left it in the environment, is nothing to us (sd_listen_fds(3)).
 */
static void forget_foreign_activation(void)
{
	const char *pid = getenv("LISTEN_PID");
	uint64_t number;

	if (!pid || (str_to_u64(pid, &number) && number == (uint64_t)getpid()))
		return;
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	unsetenv("LISTEN_PID");
}

/* runc and crun add the descriptors of socket activation to those of --preserve-fds. */
static err *count_preserved(uint64_t asked, uint32_t *ret)
{
	const char *listen = getenv("LISTEN_FDS");
	uint64_t activated = 0;

	if (listen && !str_to_u64(listen, &activated))
		return err_new(EINVAL, "LISTEN_FDS: '%s' is no number", listen);
	uint64_t count = asked + activated;
	TRY(runtime_check_preserved(count));
	*ret = (uint32_t)count;
	return NULL;
}

err *runtime_named(err *e, const char *id)
{
	char space[STATE_ID_MAX + 32];
	auto_str struct str name = STR_ON(space, sizeof space);

	if (!e)
		return NULL;
	str_addf(&name, "container '%s'", id);
	for (const err *level = e; level; level = level->cause)
		if (level->message && strstr(level->message, name.data))
			return e;
	return err_wrap(e, "%s", name.data);
}

static err *load_config(struct arena *arena, const char *bundle, const char *file, struct strv *warnings,
			struct start_request *r)
{
	char path[PATH_MAX], *text;

	snprintf(path, sizeof path, "%s%s%s", *file == '/' ? "" : bundle, *file == '/' ? "" : "/", file);
	TRY(file_read_text(arena, AT_FDCWD, path, JSON_SIZE_MAX, &text, &r->config_len));
	r->config_text = text;
	return oci_config_decode(arena, "config.json", text, r->config_len, warnings, &r->config);
}

err *runtime_start_request(struct arena *arena, const struct cli_context *c,
			   const struct start_args *a, struct strv *warnings, struct start_request *r)
{
	char bundle[PATH_MAX];
	char *copy;

	*r = (struct start_request){
		.id = c->operands[0],
		.console_socket = a->console_socket,
		.console_fd = -1,
		.pid_file = a->pid_file,
		.pidfd_socket = a->pidfd_socket,
		.no_pivot = a->no_pivot,
		.no_new_keyring = a->no_new_keyring,
		.init = init_image,
		.init_len = init_image_size,
		.warnings = warnings,
		.print = runtime_step_printer(c),
	};
	TRY(state_check_id(r->id));
	forget_foreign_activation();
	TRY(count_preserved(a->preserve_fds, &r->preserve_fds));
	TRY(runtime_root(arena, c, &r->root));
	TRY(runtime_manager(c, &r->manager));
	r->rootless = runtime_is_rootless(c);
	if (!realpath(a->bundle ? a->bundle : ".", bundle))
		return err_errno("bundle '%s'", a->bundle ? a->bundle : ".");
	TRY_ALLOC(arena, copy, arena_strdup(arena, bundle));
	r->bundle = copy;
	TRY(err_wrap(load_config(arena, bundle, a->config ? a->config : "config.json", warnings, r),
		     "bundle '%s'", bundle));
	/* crun's way to ask for what runc has an option for. */
	if (!r->pidfd_socket)
		r->pidfd_socket = string_map_get(&r->config->annotations, ANNOTATION_PIDFD_RECEIVER);
	return notify_host(&r->notify_host);
}
