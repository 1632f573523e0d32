/* scheduler/api-report.c: the paths of answers that are no objects: explain, plan, drain (api/report.h). */
#include <string.h>

#include "scheduler/api-internal.h"

enum { REPORT_MAX = 64 << 20 };

static err *answer(struct call *c, err *e, struct str *out)
{
	TRY(e);
	TRY(str_check(out));
	call_answer(c, 200, API_JSON, out, 0);
	return NULL;
}

/* "NAMESPACE/pods/NAME" */
err *report_explain(struct call *c, const char *rest)
{
	auto_str struct str out = STR_INIT(REPORT_MAX);
	const char *pods = strstr(rest, "/pods/");
	const struct entry *e = NULL;
	const char *namespace;

	if (!pods)
		return err_new(ENOENT, "there is nothing at '%s'", request_path(c->r));
	TRY_ALLOC(c->arena, namespace, arena_strndup(c->arena, rest, (size_t)(pods - rest)));
	const char *name = pods + strlen("/pods/");
	if (meta_is_label(namespace) && meta_is_subdomain(name))
		e = cache_get(c->s->cache, KIND_POD, namespace, name);
	if (!e)
		return err_new(ENOENT, "pods '%s' not found in namespace '%s'", name, namespace);
	return answer(c, explain_pod(c->s, e, &out), &out);
}

err *report_drain(struct call *c, const char *rest)
{
	auto_str struct str out = STR_INIT(REPORT_MAX);

	if (!meta_is_subdomain(rest))
		return err_new(ENOENT, "nodes '%s' not found", rest);
	return answer(c, explain_drain(c->s, rest, &out), &out);
}

err *report_plan(struct call *c, const char *rest)
{
	auto_str struct str out = STR_INIT(REPORT_MAX);
	size_t len;
	const char *body = request_body(c->r, &len);

	(void)rest;
	return answer(c, explain_plan(c->s, body, len, &out), &out);
}
