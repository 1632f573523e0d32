/* cmd/stube/remote.c: the store and registries of the commands. */
#include "cmd/stube/remote.h"

#include <unistd.h>

#include "base/fd.h"

err *open_store(const struct cli_context *c, enum image_store_use use, struct image_store **ret)
{
	const struct stube_globals *globals = c->globals;
	auto_str struct str place = STR_INIT(4096);

	TRY(image_store_place(globals->store, &place));
	return image_store_open(place.data, use, ret);
}

static void notice(const char *text, void *user)
{
	progress_line(user, text);
}

err *open_registry(const struct remote_args *args, const atomic_bool *cancel, struct progress *progress,
		   struct registry **ret)
{
	const struct registry_options options = {
		.auth_file = args->auth_file,
		.insecure = (const char *const *)args->insecure.items,
		.certs_dirs = (const char *const *)args->certs_dirs.items,
		.cancel = cancel,
		.notice = progress ? notice : NULL,
		.notice_user = progress,
	};

	return registry_new(&options, ret);
}

err *parse_platform(struct arena *arena, const char *text, const struct oci_platform **ret)
{
	struct oci_platform *platform;

	*ret = NULL;
	if (!text)
		return NULL;
	TRY_ALLOC(arena, platform, arena_alloc(arena, sizeof *platform));
	TRY(err_wrap(oci_platform_parse(arena, text, platform), "--platform"));
	*ret = platform;
	return NULL;
}

err *print_out(const struct str *out)
{
	TRY(str_check(out));
	return err_wrap(fd_write_all(STDOUT_FILENO, out->data, out->len), "standard output");
}
