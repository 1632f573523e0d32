/* registry/retry.c: how long to wait after a failure that may pass, and when to give up. */
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "registry/client-internal.h"

#define WAIT_FIRST (500 * (int64_t)NSEC_PER_MSEC)
#define WAIT_MAX   (20 * (int64_t)NSEC_PER_SEC)
#define ASKED_MAX  (60 * (int64_t)NSEC_PER_SEC) /* a Retry-After beyond this is a quota, not a hiccup */
#define NAP        (200 * (int64_t)NSEC_PER_MSEC)

void retry_start(struct retry *t, const struct call *c)
{
	*t = (struct retry){ .call = c, .since = clock_monotonic() };
}

void retry_progress(struct retry *t)
{
	t->tried = 0;
	t->since = clock_monotonic();
}

bool status_is_transient(int status)
{
	static const int list[] = { 408, 425, 429, 500, 502, 503, 504 };
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		if (list[i] == status)
			return true;
	return false;
}

int64_t retry_after(const char *value, int64_t now_real)
{
	uint64_t seconds;
	struct tm tm = { 0 };
	if (!value)
		return 0;
	if (str_to_u64(value, &seconds))
		return (int64_t)MIN(seconds, (uint64_t)365 * 86400) * (int64_t)NSEC_PER_SEC;
	const char *end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	time_t at = end && !*end ? timegm(&tm) : -1;
	int64_t now = now_real / (int64_t)NSEC_PER_SEC;
	if (at <= now)
		return 0;
	return MIN((int64_t)at - now, (int64_t)365 * 86400) * (int64_t)NSEC_PER_SEC;
}

/* Between half and all of first * 2^tried, so that many clients do not come back together. */
static int64_t back_off(unsigned tried)
{
	uint32_t random = 0;
	int64_t wait = MIN(WAIT_FIRST << MIN(tried, 6u), WAIT_MAX);
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint32_t)clock_monotonic();
	return wait / 2 + (int64_t)((uint64_t)(wait / 2) * random / UINT32_MAX);
}

/* A server that never answered is rather switched off than busy: say so soon. */
static unsigned tries_for(const struct retry *t, const err *e)
{
	if (!e || atomic_load(&t->call->host->answered))
		return t->call->r->tries;
	return e->code == ECONNREFUSED ? 1 : MIN(2u, t->call->r->tries);
}

static void notice(const struct retry *t, int64_t wait, unsigned tries, const err *e)
{
	const struct registry *r = t->call->r;
	auto_str struct str text = STR_INIT(8192);
	if (!r->notice)
		return;
	str_addf(&text, "trying again in %.1f s (%u of %u): ", (double)wait / (double)NSEC_PER_SEC, t->tried + 1,
		 tries - 1);
	err_format(e, &text);
	r->notice(text.data, r->notice_user);
}

static bool sleep_unless(const atomic_bool *cancel, int64_t wait)
{
	int64_t end = clock_monotonic() + wait, left;
	while ((left = end - clock_monotonic()) > 0) {
		if (cancel && atomic_load(cancel))
			return false;
		int64_t nap = MIN(left, NAP);
		struct timespec ts = { nap / (int64_t)NSEC_PER_SEC, nap % (int64_t)NSEC_PER_SEC };
		nanosleep(&ts, NULL);
	}
	return true;
}

err *retry_wait(struct retry *t, err *failure, const char *method, const struct http_response *response)
{
	const struct registry *r = t->call->r;
	unsigned tries = tries_for(t, failure);
	int64_t asked = failure || !response ? 0 : retry_after(http_header(response, "retry-after"), clock_real());
	int64_t wait = asked ? asked : back_off(t->tried);
	auto_err err *e = failure ? failure : status_error(method, response);
	if (asked > ASKED_MAX)
		return err_hint(TAKE(e), "The registry asks to come back in %lld minutes: a quota is used up, not a "
				"passing fault.", (long long)(asked / (60 * (int64_t)NSEC_PER_SEC)));
	if (t->tried + 1 >= tries || clock_monotonic() + wait - t->since > r->time_limit)
		return tries > 1 ? err_wrap(TAKE(e), "given up after %u tries", t->tried + 1) : TAKE(e);
	notice(t, wait, tries, e);
	t->tried++;
	if (!sleep_unless(r->cancel, wait))
		return err_new(ECANCELED, "cancelled");
	return NULL;
}
