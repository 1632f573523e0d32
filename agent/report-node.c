/* agent/report-node.c: the node's status: told when something changed, and every five minutes. */
#include <string.h>

#include "agent/node-link-internal.h"
#include "images/store.h"

#define ARENA_CEILING ((size_t)32 << 20)
#define HEARTBEAT     (300 * (int64_t)NSEC_PER_SEC)
#define IMAGES_EVERY  (60 * (int64_t)NSEC_PER_SEC)
#define IMAGES_MAX    50

struct node_teller {
	struct arena *arena; /* of `before` */
	struct conditions before;
	struct arena *images_arena;
	struct node_image *images;
	size_t image_count;
	int64_t images_read, told; /* clock_boot() */
	char *last;		   /* as told, without the times */
};

struct node_teller *node_teller_new(void)
{
	return calloc(1, sizeof(struct node_teller));
}

void node_teller_free(struct node_teller *t)
{
	if (!t)
		return;
	arena_free(t->arena);
	arena_free(t->images_arena);
	free(t->last);
	free(t);
}

/* ---- images ---- */

static err *one_image(struct image_store *store, struct arena *arena, const char *name,
		      struct node_image *ret)
{
	const struct image *image;

	TRY(image_resolve(store, arena, name, NULL, &image));
	TRY_ALLOC(arena, ret->names.items, arena_array(arena, 1, sizeof(*ret->names.items)));
	ret->names.items[0] = name;
	ret->names.count = 1;
	ret->size = image->size;
	return NULL;
}

static err *read_images(struct node_teller *t, const char *option)
{
	auto_str struct str place = STR_INIT(4096);
	auto_arena struct arena *arena = NULL;
	auto_store struct image_store *store = NULL;
	struct image_refs refs;

	TRY(arena_new(ARENA_CEILING, &arena));
	TRY(image_store_place(option, &place));
	TRY(image_store_open(place.data, IMAGE_STORE_SHARED, &store));
	TRY(image_store_refs(store, arena, &refs));
	size_t count = 0;
	struct node_image *images;
	TRY_ALLOC(arena, images, arena_array(arena, IMAGES_MAX, sizeof(*images)));
	for (size_t i = 0; i < refs.count && count < IMAGES_MAX; i++) {
		err *e = one_image(store, arena, refs.items[i].name, &images[count]);
		count += !e;
		err_free(e); /* half pulled, or being removed */
	}
	arena_free(t->images_arena);
	t->images_arena = TAKE(arena);
	t->images = images;
	t->image_count = count;
	return NULL;
}

/* ---- status ---- */

static void clear_heartbeats(struct conditions *list)
{
	for (size_t i = 0; i < list->count; i++)
		list->items[i].heartbeat.nsec = 0;
}

/* How the server has it, so that times of transition outlive this program. */
static err *remember(struct node_teller *t, const struct object *object)
{
	auto_arena struct arena *arena = NULL;
	struct object *copy;

	TRY(arena_new(ARENA_CEILING, &arena));
	TRY(object_copy(arena, object, &copy));
	arena_free(t->arena);
	t->arena = TAKE(arena);
	t->before = ((struct node *)copy)->status.conditions;
	return NULL;
}

/* What was told did not arrive. */
void node_teller_again(struct node_teller *t)
{
	free(TAKE(t->last));
}

err *node_teller_next(struct node_teller *t, struct link *l, struct api_client *api, struct str *out)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str bare = STR_INIT(JSON_SIZE_MAX);
	int64_t now = clock_boot();
	struct object *known;
	struct node node;

	TRY(arena_new(ARENA_CEILING, &arena));
	if (!t->arena) {
		TRY(api_get(api, arena, &kinds[KIND_NODE], NULL, l->o.name, &known));
		TRY(remember(t, known));
	}
	if (t->images_read == 0 || now - t->images_read > IMAGES_EVERY) {
		IGNORE(read_images(t, l->o.node->store)); /* no store yet: no images */
		t->images_read = now;
	}
	TRY(node_observe(arena, l->o.node, &node));
	node.metadata.name = l->o.name;
	node.status.agent_port = l->o.port;
	node.status.images.items = t->images;
	node.status.images.count = t->image_count;
	report_transitions(&t->before, &node.status.conditions);
	TRY(report_status(out, &kinds[KIND_NODE], NULL, &node.status));
	clear_heartbeats(&node.status.conditions);
	TRY(report_status(&bare, &kinds[KIND_NODE], NULL, &node.status));
	if (t->last && str_equal(t->last, bare.data) && now - t->told < HEARTBEAT) {
		str_clear(out);
		return NULL;
	}
	TRY(remember(t, (struct object *)&node));
	free(t->last);
	t->last = str_take(&bare);
	t->told = now;
	return NULL;
}
