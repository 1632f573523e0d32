/* cmd/stube/label.c: stube label and stube taint: single labels of objects, single taints of nodes. */
#include <stdio.h>
#include <string.h>

#include "api/node.h"
#include "cmd/stube/cluster.h"
#include "cmd/stube/commands.h"

struct label_args {
	struct cluster_args cluster;
	bool overwrite;
};

#define OPT_STRUCT struct label_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT(0,   "overwrite", CLI_FLAG, overwrite, NULL, "also where there is another value"),
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

enum { CHANGES_MAX = 64, TRIES = 5 };

/* "KEY=VALUE", "KEY-"; of taints "KEY=VALUE:EFFECT", "KEY:EFFECT", "KEY:EFFECT-", "KEY-". */
struct change {
	char *key, *value; /* value NULL: none */
	int effect;	   /* 0: none, or any */
	bool remove;
};
struct changing {
	struct cluster c;
	const struct label_args *args;
	struct change changes[CHANGES_MAX];
	size_t count;
	/* Append a merge patch to `patch`; nothing when the object is so already. */
	err *(*make)(const struct changing *g, const struct object *object, const char *label,
		     struct str *patch);
	const char *word; /* "labeled" */
};

/* No name of an object has '=' or ends with '-'. */
static bool is_change(const char *operand)
{
	return strchr(operand, '=') || str_ends_with(operand, "-") || strchr(operand, ':');
}

static err *parse_change(struct arena *arena, const char *text, bool taint, struct change *ret)
{
	size_t len = strlen(text);
	char *copy, *part;

	*ret = (struct change){ .remove = str_ends_with(text, "-") && !(strchr(text, '=') && !taint) };
	TRY_ALLOC(arena, copy, arena_strndup(arena, text, len - ret->remove));
	ret->key = copy;
	if (taint && (part = strrchr(copy, ':'))) {
		*part++ = '\0';
		ret->effect = enum_value(taint_effect_names, part);
		if (ret->effect <= 0)
			return err_new(EINVAL,
				       "'%s': '%s' is not one of NoSchedule|PreferNoSchedule|NoExecute", text,
				       part);
	}
	part = strchr(copy, '=');
	if (part) {
		*part++ = '\0';
		ret->value = part;
	}
	if (!*ret->key || (!taint && !ret->remove && !ret->value) || (taint && !ret->remove && !ret->effect))
		return err_new(EINVAL,
			       taint ? "'%s' is not KEY[=VALUE]:EFFECT, KEY:EFFECT- or KEY-"
				     : "'%s' is not KEY=VALUE or KEY-",
			       text);
	return NULL;
}

static err *parse(struct changing *g, const struct cli_context *c, bool taint, struct targets *ret)
{
	size_t names = 0;

	while (names < c->operand_count && (names == 0 || !is_change(c->operands[names])))
		names++;
	if (names == c->operand_count)
		return err_new(EINVAL, "say what: %s",
			       taint ? "KEY=VALUE:EFFECT" : "KEY=VALUE, or KEY- to take it away");
	if (c->operand_count - names > CHANGES_MAX)
		return err_new(E2BIG, "more than %d changes", CHANGES_MAX);
	for (size_t i = names; i < c->operand_count; i++)
		TRY(parse_change(g->c.arena, c->operands[i], taint, &g->changes[g->count++]));
	TRY(targets_parse(g->c.arena, c->operands, names, ret));
	for (size_t i = 0; i < ret->count; i++) {
		if (!ret->items[i].name)
			return err_new(EINVAL, "say which of %s: TYPE NAME, or TYPE/NAME",
				       ret->items[i].kind->plural);
		if (taint && ret->items[i].kind->id != KIND_NODE)
			return err_new(EINVAL, "'%s' is not one of nodes: only these have taints",
				       ret->items[i].kind->plural);
	}
	return NULL;
}

/* ---- labels ---- */

static err *label_patch(const struct changing *g, const struct object *object, const char *label,
			struct str *patch)
{
	struct json_writer w = JSON_WRITER(patch, 0);
	size_t changed = 0;

	json_begin_object(&w);
	json_key(&w, "metadata");
	json_begin_object(&w);
	json_member_string(&w, "resourceVersion", object->metadata.resource_version);
	json_key(&w, "labels");
	json_begin_object(&w);
	for (size_t i = 0; i < g->count; i++) {
		const struct change *x = &g->changes[i];
		const char *now = string_map_get(&object->metadata.labels, x->key);
		if (x->remove ? !now : str_equal(now, x->value))
			continue;
		if (now && !x->remove && !g->args->overwrite)
			return err_hint(err_new(EEXIST, "%s has the label '%s' already, with '%s'", label,
						x->key, now),
					"Add --overwrite to change it.");
		json_key(&w, x->key);
		if (x->remove)
			json_null(&w);
		else
			json_string(&w, x->value);
		changed++;
	}
	json_end_object(&w);
	json_end_object(&w);
	json_end_object(&w);
	if (!changed)
		str_clear(patch);
	return NULL;
}

/* ---- taints ---- */

static bool concerns(const struct change *x, const struct taint *t)
{
	return str_equal(x->key, t->key) && (!x->effect || x->effect == t->effect);
}

static void write_taint(struct json_writer *w, const char *key, const char *value, int effect)
{
	json_begin_object(w);
	json_member_string(w, "key", key);
	if (value && *value)
		json_member_string(w, "value", value);
	json_member_string(w, "effect", enum_name(taint_effect_names, effect));
	json_end_object(w);
}

/* What becomes of a taint that is there: kept, taken away, or (by *ret) given another value. */
static err *look_at_taint(const struct changing *g, const struct taint *t, const char *label,
			  bool done[CHANGES_MAX], const struct change **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < g->count; i++) {
		const struct change *x = &g->changes[i];
		if (!concerns(x, t))
			continue;
		bool same = !x->remove && str_equal(x->value ? x->value : "", t->value ? t->value : "");
		if (!x->remove && !same && !g->args->overwrite)
			return err_hint(err_new(EEXIST,
						"%s has the taint '%s' of this effect already, with '%s'",
						label, t->key, t->value ? t->value : ""),
					"Add --overwrite to change it.");
		done[i] = true;
		if (!same)
			*ret = x;
	}
	return NULL;
}

static err *taint_patch(const struct changing *g, const struct object *object, const char *label,
			struct str *patch)
{
	const struct node *node = (const struct node *)(const void *)object;
	struct json_writer w = JSON_WRITER(patch, 0);
	bool done[CHANGES_MAX] = { false };
	const struct change *x;
	size_t changed = 0;

	json_begin_object(&w);
	json_key(&w, "metadata");
	json_begin_object(&w);
	json_member_string(&w, "resourceVersion", object->metadata.resource_version);
	json_end_object(&w);
	json_key(&w, "spec");
	json_begin_object(&w);
	json_key(&w, "taints");
	json_begin_array(&w);
	for (size_t i = 0; i < node->spec.taints.count; i++) {
		const struct taint *t = &node->spec.taints.items[i];
		TRY(look_at_taint(g, t, label, done, &x));
		changed += x != NULL;
		if (!x || !x->remove)
			write_taint(&w, t->key, x ? x->value : t->value, t->effect);
	}
	for (size_t i = 0; i < g->count; i++) {
		if (done[i] || g->changes[i].remove)
			continue;
		write_taint(&w, g->changes[i].key, g->changes[i].value, g->changes[i].effect);
		changed++;
	}
	json_end_array(&w);
	json_end_object(&w);
	json_end_object(&w);
	if (!changed)
		str_clear(patch);
	return NULL;
}

/* ---- both ---- */

/* Against the revision that was read: somebody else's change in between is looked at anew. */
static err *change_one(struct changing *g, const struct target *t)
{
	const char *namespace = target_namespace(&g->c, t->kind);
	auto_str struct str label = STR_INIT(1024);
	err *e = NULL;

	str_addf(&label, "%s/%s", t->kind->singular, t->name);
	for (unsigned i = 0; i < TRIES; i++) {
		auto_str struct str patch = STR_INIT(1 << 20);
		struct object *object;
		err_free(e);
		TRY(api_get(g->c.client, g->c.arena, t->kind, namespace, t->name, &object));
		TRY(g->make(g, object, label.data, &patch));
		TRY(str_check(&patch));
		if (patch.len == 0) {
			printf("%s unchanged\n", label.data);
			return NULL;
		}
		e = api_patch(g->c.client, g->c.arena, t->kind, namespace, t->name, NULL, patch.data, NULL);
		if (!e || e->code != ESTALE)
			break;
	}
	if (!e)
		printf("%s %s\n", label.data, g->word);
	fflush(stdout);
	return e;
}

static err *change_all(struct changing *g, const struct cli_context *c, bool taint, int *ret_status)
{
	struct targets targets;

	TRY(cluster_open(&g->args->cluster, &g->c));
	TRY_USAGE(ret_status, parse(g, c, taint, &targets));
	for (size_t i = 0; i < targets.count; i++)
		TRY(change_one(g, &targets.items[i]));
	return NULL;
}

static err *label_run(const struct cli_context *c, int *ret_status)
{
	struct changing g = { .args = c->args, .make = label_patch, .word = "labeled" };
	err *e = change_all(&g, c, false, ret_status);

	cluster_done(&g.c);
	return e;
}

static err *taint_run(const struct cli_context *c, int *ret_status)
{
	struct changing g = { .args = c->args, .make = taint_patch, .word = "tainted" };
	err *e = change_all(&g, c, true, ret_status);

	cluster_done(&g.c);
	return e;
}

const struct cli_command cmd_label = {
	.name = "label",
	.operands = "TYPE NAME...|TYPE/NAME... KEY=VALUE|KEY- ...",
	.summary = "Set and take away single labels of objects",
	.example = "stube label node state-1 disk=ssd\nstube label node/state-1 disk-\n"
		   "stube label nodes state-1 state-2 stube/protection-class=high --overwrite",
	.notes = "What the manifest of an object has, the next `stube apply` sets again; other labels "
		 "stay.\n\n" CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct label_args),
	.min = 2,
	.max = SIZE_MAX,
	.run = label_run,
};

const struct cli_command cmd_taint = {
	.name = "taint",
	.operands = "nodes NAME...|node/NAME... KEY[=VALUE]:EFFECT|KEY[:EFFECT]- ...",
	.summary = "Set and take away taints, which keep Pods from nodes",
	.example = "stube taint nodes state-1 operator=commercial:NoSchedule\nstube taint node/state-1 "
		   "operator-",
	.notes = "EFFECTs:\n\n"
		 "  NoSchedule        new Pods without a toleration do not come\n"
		 "  PreferNoSchedule  they come when no other node fits\n"
		 "  NoExecute         and those that are there go\n\n" CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct label_args),
	.min = 2,
	.max = SIZE_MAX,
	.run = taint_run,
};
