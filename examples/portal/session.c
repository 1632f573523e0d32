/* examples/portal/session.c: a bounded table of sessions. */
#include "examples/portal/session.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "examples/base64url.h"

#define SESSIONS_MAX 4096
#define HASH_SIZE    32

struct entry {
	bool used;
	uint8_t hash[HASH_SIZE]; /* a copy of this memory opens no session */
	char *token, *name;
	int role;
	int64_t issued, expires;
	int64_t seen; /* CLOCK_MONOTONIC */
};

struct sessions {
	pthread_mutex_t lock;
	uint8_t secret[HASH_SIZE];
	int64_t idle;
	struct entry entries[SESSIONS_MAX];
};

err *sessions_new(unsigned idle_seconds, struct sessions **ret)
{
	struct sessions *s = calloc(1, sizeof(*s));

	if (!s)
		return err_oom();
	pthread_mutex_init(&s->lock, NULL);
	s->idle = idle_seconds * (int64_t)NSEC_PER_SEC;
	if (RAND_bytes(s->secret, sizeof(s->secret)) != 1) {
		sessions_free(s);
		return err_new(EIO, "no randomness");
	}
	*ret = s;
	return NULL;
}

static void entry_clear(struct entry *e)
{
	if (e->token)
		explicit_bzero(e->token, strlen(e->token));
	free(e->token);
	free(e->name);
	*e = (struct entry){ 0 };
}

void sessions_free(struct sessions *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		entry_clear(&s->entries[i]);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static void text_of(const uint8_t bytes[static HASH_SIZE], char out[static SESSION_ID_SIZE])
{
	auto_str struct str text = STR_INIT(SESSION_ID_SIZE);

	base64url_add(&text, bytes, HASH_SIZE);
	snprintf(out, SESSION_ID_SIZE, "%s", text.data);
}

err *session_id_new(char id[static SESSION_ID_SIZE])
{
	uint8_t bytes[HASH_SIZE];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return err_new(EIO, "no randomness");
	text_of(bytes, id);
	return NULL;
}

bool session_id_valid(const char *id)
{
	auto_str struct str bytes = STR_INIT(HASH_SIZE);

	return id && strlen(id) == SESSION_ID_SIZE - 1 && base64url_decode(id, SESSION_ID_SIZE - 1, &bytes);
}

void session_csrf(const struct sessions *s, const char *id, char out[static SESSION_ID_SIZE])
{
	uint8_t mac[EVP_MAX_MD_SIZE] = { 0 };

	HMAC(EVP_sha256(), s->secret, sizeof(s->secret), (const uint8_t *)id, strlen(id), mac, NULL);
	text_of(mac, out);
}

bool session_csrf_valid(const struct sessions *s, const char *id, const char *text)
{
	char want[SESSION_ID_SIZE];

	session_csrf(s, id, want);
	return text && strlen(text) == strlen(want) && CRYPTO_memcmp(text, want, strlen(want)) == 0;
}

static bool is_over(const struct sessions *s, const struct entry *e, int64_t now)
{
	return now - e->seen > s->idle || clock_real() / (int64_t)NSEC_PER_SEC >= e->expires;
}

/* Its entry, or NULL. Looks at all of them: a few microseconds. */
static struct entry *find(struct sessions *s, const char *id)
{
	uint8_t hash[EVP_MAX_MD_SIZE];

	EVP_Digest(id, strlen(id), hash, NULL, EVP_sha256(), NULL);
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (s->entries[i].used && CRYPTO_memcmp(s->entries[i].hash, hash, HASH_SIZE) == 0)
			return &s->entries[i];
	return NULL;
}

static struct entry *make_room(struct sessions *s)
{
	struct entry *oldest = &s->entries[0];

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		if (!s->entries[i].used)
			return &s->entries[i];
		if (s->entries[i].seen < oldest->seen)
			oldest = &s->entries[i];
	}
	return oldest;
}

err *sessions_put(struct sessions *s, const char *id, const struct session *session)
{
	char *token = strdup(session->token), *name = strdup(session->name);
	uint8_t hash[EVP_MAX_MD_SIZE];
	struct entry *e;

	if (!token || !name) {
		free(token);
		free(name);
		return err_oom();
	}
	EVP_Digest(id, strlen(id), hash, NULL, EVP_sha256(), NULL);
	pthread_mutex_lock(&s->lock);
	e = find(s, id);
	e = e ? e : make_room(s);
	entry_clear(e);
	*e = (struct entry){
		.used = true,
		.token = token,
		.name = name,
		.role = session->role,
		.issued = session->issued,
		.expires = session->expires,
		.seen = clock_monotonic(),
	};
	memcpy(e->hash, hash, HASH_SIZE);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

err *sessions_get(struct sessions *s, struct arena *arena, const char *id, struct session *ret,
		  bool *ret_found)
{
	int64_t now = clock_monotonic();
	struct entry *e;

	*ret_found = false;
	pthread_mutex_lock(&s->lock);
	e = find(s, id);
	if (e && is_over(s, e, now)) {
		entry_clear(e);
		e = NULL;
	}
	if (e) {
		e->seen = now;
		*ret = (struct session){
			.token = arena_strdup(arena, e->token),
			.name = arena_strdup(arena, e->name),
			.role = e->role,
			.issued = e->issued,
			.expires = e->expires,
		};
	}
	pthread_mutex_unlock(&s->lock);
	*ret_found = e != NULL;
	return e && (!ret->token || !ret->name) ? arena_error(arena) : NULL;
}

void sessions_drop(struct sessions *s, const char *id)
{
	struct entry *e;

	pthread_mutex_lock(&s->lock);
	e = find(s, id);
	if (e)
		entry_clear(e);
	pthread_mutex_unlock(&s->lock);
}
