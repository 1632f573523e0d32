/* cmd/stube-runtime/select.c: which containers a command means. */
#include <regex.h>

#include "base/log.h"
#include "cmd/stube-runtime/runtime.h"

err *runtime_open(struct arena *arena, const struct cli_context *c, enum container_access access,
		  struct container *ret)
{
	const char *root;

	TRY(runtime_root(arena, c, &root));
	return container_open(arena, root, c->operands[0], access, ret);
}

static err *compile(const char *pattern, regex_t *ret)
{
	char why[128];
	int code = regcomp(ret, pattern, REG_EXTENDED | REG_NOSUB);

	if (!code)
		return NULL;
	regerror(code, ret, why, sizeof why);
	return err_new(EINVAL, "regular expression '%s': %s", pattern, why);
}

/* The first failure is the caller's, further ones are logged. */
static void keep_first(err **first, err *e)
{
	if (!e)
		return;
	if (!*first) {
		*first = e;
		return;
	}
	log_err(e);
	err_free(e);
}

err *runtime_each(struct arena *arena, const struct cli_context *c, bool regex,
		  err *(*act)(void *data, const char *root, const char *id), void *data)
{
	struct strings ids;
	const char *root;
	regex_t pattern;
	err *first = NULL;

	TRY(runtime_root(arena, c, &root));
	if (!regex)
		return act(data, root, c->operands[0]);
	TRY(compile(c->operands[0], &pattern));
	err *e = state_list(arena, root, &ids);
	/* A signal that ends the wait for one is meant for them all. */
	for (size_t i = 0; !e && i < ids.count && !(first && first->code == EINTR); i++) {
		if (regexec(&pattern, ids.items[i], 0, NULL, 0) == 0)
			keep_first(&first, act(data, root, ids.items[i]));
	}
	regfree(&pattern);
	return e ? e : first;
}
