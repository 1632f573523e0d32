/* cmd/stube/cluster.c: reaching the cluster, and the objects that operands name. */
#include "cmd/stube/cluster.h"

#include <string.h>
#include <strings.h>

#include "agent/place.h"
#include "api/deployment.h"
#include "api/pod.h"

enum { CLUSTER_MEMORY = 1 << 30, TARGETS_MAX = 4096 };

static err *open_client(struct cluster *c, const char *namespace)
{
	TRY(api_client_new(&c->config, "stube", &c->client));
	c->namespace = namespace ? namespace : c->config.namespace ? c->config.namespace : "default";
	return NULL;
}

static err *load(struct cluster *c, const struct cluster_args *args)
{
	auto_str struct str run = STR_INIT(4096);

	TRY(place_run(&run));
	TRY(api_config_load(c->arena, args->config, run.data, &c->config));
	return open_client(c, args->namespace);
}

err *cluster_open(const struct cluster_args *args, struct cluster *ret)
{
	TRY(arena_new(CLUSTER_MEMORY, &ret->arena));
	return load(ret, args);
}

err *cluster_open_config(const struct api_config *config, struct cluster *ret)
{
	TRY(arena_new(CLUSTER_MEMORY, &ret->arena));
	ret->config = *config;
	return open_client(ret, NULL);
}

void cluster_done(struct cluster *c)
{
	api_client_free(c->client);
	arena_free(c->arena);
	*c = (struct cluster){ 0 };
}

const char *target_namespace(const struct cluster *c, const struct kind *kind)
{
	return kind->namespaced ? c->namespace : NULL;
}

/* ---- operands ---- */

static err *unknown_type(const char *word)
{
	auto_str struct str names = STR_INIT(1024);

	for (size_t i = 0; i < KIND_COUNT; i++)
		str_addf(&names, "%s%s", i ? "|" : "", kinds[i].plural);
	return err_new(EINVAL, "'%s' is not one of %s", word, names.data);
}

static err *add_target(struct targets *t, const char *word, const char *name)
{
	const struct kind *kind = kind_by_word(word);

	if (!kind)
		return unknown_type(word);
	if (t->count == TARGETS_MAX)
		return err_new(E2BIG, "more than %d objects are named", TARGETS_MAX);
	t->items[t->count++] = (struct target){ kind, name };
	return NULL;
}

/* "all" means what runs, as kubectl has it. */
static const char *const all_types[] = { "pods", "replicasets", "deployments", "persistentvolumeclaims" };

static err *add_types(struct arena *arena, struct targets *t, const char *words)
{
	char *text, *rest = NULL;

	if (strcasecmp(words, "all") == 0) {
		for (size_t i = 0; i < ARRAY_LEN(all_types); i++)
			TRY(add_target(t, all_types[i], NULL));
		return NULL;
	}
	TRY_ALLOC(arena, text, arena_strdup(arena, words));
	for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest))
		TRY(add_target(t, word, NULL));
	return NULL;
}

static err *split(struct arena *arena, const char *operand, char **ret_word, const char **ret_name)
{
	const char *slash = strchr(operand, '/');

	if (!slash[1] || strchr(slash + 1, '/'))
		return err_new(EINVAL, "'%s' is not TYPE/NAME", operand);
	TRY_ALLOC(arena, *ret_word, arena_strndup(arena, operand, (size_t)(slash - operand)));
	*ret_name = slash + 1;
	return NULL;
}

err *targets_parse(struct arena *arena, char **operands, size_t count, struct targets *ret)
{
	char *word = NULL;
	const char *name = NULL;

	*ret = (struct targets){ 0 };
	TRY_ALLOC(arena, ret->items, arena_array(arena, TARGETS_MAX, sizeof(*ret->items)));
	if (count > 0 && !strchr(operands[0], '/')) {
		if (count == 1)
			return add_types(arena, ret, operands[0]);
		for (size_t i = 1; i < count; i++) {
			if (strchr(operands[i], '/'))
				return err_new(EINVAL, "'%s': after a TYPE come NAMEs", operands[i]);
			TRY(add_target(ret, operands[0], operands[i]));
		}
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		if (!strchr(operands[i], '/'))
			return err_new(EINVAL, "'%s' is not TYPE/NAME", operands[i]);
		TRY(split(arena, operands[i], &word, &name));
		TRY(add_target(ret, word, name));
	}
	return NULL;
}

static err *check_allowed(const char *word, const enum kind_id *allowed, struct target *ret)
{
	auto_str struct str choices = STR_INIT(512);

	ret->kind = kind_by_word(word);
	for (size_t i = 0; allowed[i] != KIND_COUNT; i++) {
		if (ret->kind == &kinds[allowed[i]])
			return *ret->name ? NULL : err_new(EINVAL, "'%s/' names no object", word);
		str_addf(&choices, "%s%s", i ? "|" : "", kinds[allowed[i]].singular);
	}
	return err_new(EINVAL, "'%s' is not one of %s", word, choices.data);
}

err *target_parse(char *operand, const enum kind_id *allowed, struct target *ret)
{
	char *slash = strchr(operand, '/');

	*ret = (struct target){ &kinds[allowed[0]], operand };
	if (!slash)
		return NULL;
	*slash = '\0';
	ret->name = slash + 1;
	return check_allowed(operand, allowed, ret);
}

err *target_parse_two(char **operands, size_t count, const enum kind_id *allowed, struct target *ret)
{
	if (count < 2)
		return target_parse(operands[0], allowed, ret);
	if (strchr(operands[0], '/') || strchr(operands[1], '/'))
		return err_new(EINVAL, "'%s': one object at a time", operands[1]);
	*ret = (struct target){ .name = operands[1] };
	return check_allowed(operands[0], allowed, ret);
}

/* ---- the Pods of an object ---- */

static bool owned_by(const struct object *object, const struct object *owner)
{
	const struct owner_reference *ref = meta_controller(&object->metadata);

	return ref && str_equal(ref->uid, owner->metadata.uid);
}

/* Keep those whose controller is among the owners. */
static void keep_owned(struct object_list *list, const struct object_list *owners)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		for (size_t j = 0; j < owners->count; j++)
			if (owned_by(list->items[i], owners->items[j])) {
				list->items[kept++] = list->items[i];
				break;
			}
	list->count = kept;
}

err *pods_of(struct cluster *c, const struct target *target, struct object_list *ret)
{
	const char *namespace = target_namespace(c, target->kind);
	struct api_query all = { 0 };
	struct object_list owners = { 0 };

	TRY_ALLOC(c->arena, owners.items, arena_array(c->arena, 1, sizeof(*owners.items)));
	TRY(api_get(c->client, c->arena, target->kind, namespace, target->name, &owners.items[0]));
	owners.count = 1;
	if (target->kind->id == KIND_POD) {
		*ret = owners;
		return NULL;
	}
	if (target->kind->id == KIND_DEPLOYMENT) {
		struct object_list sets;
		TRY(api_list(c->client, c->arena, &kinds[KIND_REPLICASET], namespace, &all, &sets));
		keep_owned(&sets, &owners);
		owners = sets;
	}
	TRY(api_list(c->client, c->arena, &kinds[KIND_POD], namespace, &all, ret));
	keep_owned(ret, &owners);
	return NULL;
}
