/* runtime/plan-landlock.c: the annotation org.stube.landlock as rows of the plan, for the kernel that runs.
 */
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/path.h"
#include "oci/landlock.h"
#include "runtime/plan-config.h"

#define CREATE_RULESET_VERSION 1u /* LANDLOCK_CREATE_RULESET_VERSION */

int plan_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

/* The rights of a list that this kernel has, added to *ret. */
static err *known_rights(const struct oci_landlock *l, const struct plan_source *s, int abi,
			 const char *field, const struct enum_name *names, const struct oci_ints *list,
			 uint64_t *ret)
{
	for (size_t i = 0; i < list->count; i++) {
		int bit = list->items[i], since = oci_landlock_abi(names, bit);

		if (since <= abi) {
			*ret |= (uint64_t)bit;
			continue;
		}
		if (!l->best_effort)
			return err_new(ENOTSUP,
				       "ruleset.%s[%zu]: '%s' needs version %d of the kernel's Landlock, "
				       "which has %d",
				       field, i, enum_name(names, bit), since, abi);
		if (s->warnings)
			strv_addf(s->warnings,
				  OCI_LANDLOCK_ANNOTATION ": ruleset.%s[%zu]: '%s' is not restricted: the "
							  "kernel's Landlock has version %d, not %d",
				  field, i, enum_name(names, bit), abi, since);
	}
	return NULL;
}

static err *plan_paths(struct plan_builder *b, const struct plan_source *s, const struct oci_landlock *l)
{
	size_t count = 0, at = 0;
	struct plan_landlock_path *rows;

	for (size_t i = 0; i < l->rules.paths.count; i++)
		count += l->rules.paths.items[i].paths.count;
	TRY_ALLOC(s->arena, rows, arena_array(s->arena, count + 1, sizeof *rows));
	for (size_t i = 0; i < l->rules.paths.count; i++) {
		const struct oci_landlock_paths *rule = &l->rules.paths.items[i];
		uint64_t access = oci_landlock_mask(&rule->access) & b->plan.landlock.fs;

		for (size_t k = 0; access && k < rule->paths.count; k++) {
			char path[PATH_MAX];

			if (!path_clean(rule->paths.items[k], path, sizeof path))
				return err_new(ENAMETOOLONG, "rules.pathBeneath[%zu].paths[%zu]", i, k);
			rows[at++] = (struct plan_landlock_path){
				.path = plan_add_text(b, path),
				.label = plan_add_textf(b, "rules.pathBeneath[%zu].paths[%zu]", i, k),
				.access = access,
				.optional = l->best_effort,
			};
		}
	}
	b->plan.landlock.paths = plan_add_items(b, rows, sizeof *rows, at);
	return NULL;
}

static err *plan_ports(struct plan_builder *b, const struct plan_source *s, const struct oci_landlock *l)
{
	size_t count = 0, at = 0;
	struct plan_landlock_port *rows;

	for (size_t i = 0; i < l->rules.ports.count; i++)
		count += l->rules.ports.items[i].ports.count;
	TRY_ALLOC(s->arena, rows, arena_array(s->arena, count + 1, sizeof *rows));
	for (size_t i = 0; i < l->rules.ports.count; i++) {
		const struct oci_landlock_ports *rule = &l->rules.ports.items[i];
		uint64_t access = oci_landlock_mask(&rule->access) & b->plan.landlock.net;

		for (size_t k = 0; access && k < rule->ports.count; k++)
			rows[at++] = (struct plan_landlock_port){ access, rule->ports.items[k] };
	}
	b->plan.landlock.ports = plan_add_items(b, rows, sizeof *rows, at);
	return NULL;
}

err *plan_landlock_document(struct plan_builder *b, const struct plan_source *s, const struct oci_landlock *l,
			    int abi)
{
	const struct oci_landlock_ruleset *r = &l->ruleset;
	struct plan_landlock *out = &b->plan.landlock;

	TRY(known_rights(l, s, abi, "handledAccessFS", oci_landlock_fs_names, &r->fs, &out->fs));
	TRY(known_rights(l, s, abi, "handledAccessNetwork", oci_landlock_net_names, &r->net, &out->net));
	TRY(known_rights(l, s, abi, "scoped", oci_landlock_scope_names, &r->scoped, &out->scoped));
	TRY(plan_paths(b, s, l));
	TRY(plan_ports(b, s, l));
	if (out->fs || out->net || out->scoped)
		b->plan.flags |= PLAN_LANDLOCK;
	return NULL;
}

err *plan_landlock(struct plan_builder *b, const struct plan_source *s)
{
	const char *text = string_map_get(&s->config->annotations, OCI_LANDLOCK_ANNOTATION);
	const struct oci_landlock *l = NULL;

	if (!text)
		return NULL;
	TRY(oci_landlock_decode(s->arena, "annotations." OCI_LANDLOCK_ANNOTATION, text, strlen(text), &l));
	return err_wrap(plan_landlock_document(b, s, l, plan_landlock_abi()), "annotations.%s",
			OCI_LANDLOCK_ANNOTATION);
}
