/* scheduler/api-body.c: what clients send: objects, patches, options of a deletion. */
#include <string.h>

#include "api/yaml.h"
#include "scheduler/api-internal.h"

/* "application/json; charset=utf-8" is application/json. */
static bool is_type(const char *header, const char *type)
{
	size_t len = strlen(type);

	return strncasecmp(header, type, len) == 0 &&
	       (header[len] == '\0' || header[len] == ';' || header[len] == ' ');
}

static const char *content_type(const struct call *c)
{
	const char *type = request_header(c->r, "Content-Type");

	return type && *type ? type : API_JSON;
}

/* A manifest's mistakes are the client's, whatever they are called inside. */
static err *as_bad(err *e)
{
	return e && (e->code == EFBIG || e->code == ENOMEM) ? e : err_with_code(e, EBADMSG);
}

err *body_tree(struct call *c, json **ret)
{
	const char *type = content_type(c);
	size_t len, count = 0;
	const char *body = request_body(c->r, &len);
	json **documents;
	err *e;

	*ret = NULL;
	if (len == 0)
		return NULL;
	if (is_type(type, API_JSON)) {
		e = json_parse(c->arena, "body", body, len, ret);
		return e ? as_bad(e) : NULL;
	}
	if (!is_type(type, "application/yaml"))
		return err_new(EPROTOTYPE, "content type '%s': use application/json or application/yaml",
			       type);
	e = yaml_parse(c->arena, "body", body, len, &documents, &count);
	if (e)
		return as_bad(e);
	if (count > 1)
		return err_new(EBADMSG, "body: holds %zu documents; one request writes one object", count);
	if (count)
		*ret = documents[0];
	return NULL;
}

/* The path and the body must mean the same. */
static err *check_place(struct call *c, struct object *object)
{
	struct meta *m = &object->metadata;

	if (c->kind->namespaced && !m->namespace)
		m->namespace = c->namespace;
	if (c->kind->namespaced && !str_equal(m->namespace, c->namespace))
		return err_new(EBADMSG, "metadata.namespace: '%s' is not the path's '%s'", m->namespace,
			       c->namespace);
	if (c->name && !m->name)
		m->name = c->name;
	if (c->name && !str_equal(m->name, c->name))
		return err_new(EBADMSG, "metadata.name: '%s' is not the path's '%s'", m->name, c->name);
	return NULL;
}

err *body_object(struct call *c, struct object **ret)
{
	json *tree;

	TRY(body_tree(c, &tree));
	if (!tree)
		return err_new(EBADMSG, "body: is empty");
	/* What is replaced may be as it was admitted once: scheduler/objects.c looks whether it changes. */
	TRY(object_decode_tree(c->arena, "body", tree, c->kind, c->name ? 0 : OBJECT_ADMIT, ret));
	return check_place(c, *ret);
}

err *body_patch(struct call *c, enum patch_kind *ret_as, const char **ret, size_t *ret_len)
{
	static const char *const types[] = {
		[PATCH_MERGE] = "application/merge-patch+json",
		[PATCH_JSON] = "application/json-patch+json",
		[PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
	};
	const char *type = content_type(c);

	*ret = request_body(c->r, ret_len);
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (is_type(type, types[i])) {
			*ret_as = (enum patch_kind)i;
			return NULL;
		}
	return err_new(EPROTOTYPE, "content type '%s': patches are %s, %s or %s", type, types[0], types[1],
		       types[2]);
}

/* ---- options of a deletion, in the body or in the query ---- */

struct preconditions {
	const char *uid, *resource_version;
};
struct body_options {
	const char *api_version, *kind;
	const int64_t *grace;
	struct preconditions preconditions;
	const char *propagation;
	const bool *orphan;
	struct strings dry_run;
	const bool *ignore_read_error;
};
/* clang-format off */
static const struct type t_seconds = INT_RANGE("seconds", int64_t, 0, INT64_C(365) * 86400);
static const struct type opt_seconds = OPTIONAL(t_seconds);
static const struct field precondition_fields[] = {
	FIELD(struct preconditions, "uid",             uid,              t_string, 0, NULL),
	FIELD(struct preconditions, "resourceVersion", resource_version, t_string, 0, NULL),
	{0}
};
static const struct type t_preconditions = OBJECT_STRICT("preconditions", struct preconditions, precondition_fields);
static const struct field option_fields[] = {
	FIELD(struct body_options, "apiVersion",         api_version,   t_string,        0, NULL),
	FIELD(struct body_options, "kind",               kind,          t_string,        0, NULL),
	FIELD(struct body_options, "gracePeriodSeconds", grace,         opt_seconds,     0, NULL),
	FIELD(struct body_options, "preconditions",      preconditions, t_preconditions, 0, NULL),
	FIELD(struct body_options, "propagationPolicy",  propagation,   t_string,        0, NULL),
	FIELD(struct body_options, "orphanDependents",   orphan,        opt_bool,        0, NULL),
	FIELD(struct body_options, "dryRun",             dry_run,       t_strings,       0, NULL),
	FIELD(struct body_options, "ignoreStoreReadErrorWithClusterBreakingPotential", ignore_read_error, opt_bool, 0, NULL),
	{0}
};
static const struct type t_options = OBJECT_STRICT("options", struct body_options, option_fields);
/* clang-format on */

static err *query_options(struct call *c, struct body_options *o)
{
	const char *propagation = request_query(c->r, "propagationPolicy");
	uint64_t seconds;
	int64_t *grace;
	bool given;

	TRY(call_number(c, "gracePeriodSeconds", UINT64_C(365) * 86400, &seconds, &given));
	if (given) {
		TRY_ALLOC(c->arena, grace, arena_alloc(c->arena, sizeof(*grace)));
		*grace = (int64_t)seconds;
		o->grace = grace;
	}
	if (propagation)
		o->propagation = propagation;
	return NULL;
}

/* An Eviction carries them one level deeper. */
static const json *options_in(const struct call *c, const json *tree)
{
	return tree && str_equal(c->subresource, "eviction") ? json_get(tree, "deleteOptions") : tree;
}

err *body_delete_options(struct call *c, struct delete_options *ret)
{
	struct decoder d = { .arena = c->arena, .name = "body" };
	struct body_options o = { 0 };
	json *tree;

	TRY(body_tree(c, &tree));
	if (options_in(c, tree))
		TRY(as_bad(decode_tree(&d, &t_options, NULL, options_in(c, tree), &o)));
	TRY(query_options(c, &o));
	if (o.dry_run.count)
		c->dry_run = true;
	if (o.ignore_read_error && *o.ignore_read_error)
		return err_new(EINVAL,
			       "ignoreStoreReadErrorWithClusterBreakingPotential: true is not possible here");
	if (o.propagation && !str_equal(o.propagation, "Background") &&
	    !str_equal(o.propagation, "Foreground") && !str_equal(o.propagation, "Orphan"))
		return err_new(EBADMSG,
			       "propagationPolicy: '%s' is not one of Background, Foreground, Orphan",
			       o.propagation);
	*ret = (struct delete_options){
		.uid = o.preconditions.uid,
		.resource_version = o.preconditions.resource_version,
		.grace = o.grace,
		.orphan = str_equal(o.propagation, "Orphan") || (o.orphan && *o.orphan),
	};
	return NULL;
}
