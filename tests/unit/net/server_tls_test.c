/* tests/unit/net/server_tls_test.c: who a client's certificate says he is, and who is not believed. */
#include "tests/unit/net/tls.h"

static struct server_request *waiting;
static atomic_int handled, gone;

static void on_gone(void *user)
{
	(void)user;
	atomic_fetch_add(&gone, 1);
}

static void handle(struct server_request *r, void *user)
{
	auto_str struct str out = STR_INIT(1 << 16);
	const struct peer *p = request_peer(r);

	(void)user;
	atomic_fetch_add(&handled, 1);
	if (strcmp(request_path(r), "/late") == 0) {
		waiting = r;
		request_on_gone(r, on_gone, NULL);
		return;
	}
	if (strcmp(request_path(r), "/echo") == 0) {
		size_t len;
		const char *body = request_body(r, &len);
		request_answer(r, 200, NULL, body, len, NULL);
		return;
	}
	str_addf(&out, "kind=%d name=%s groups=", p->kind, p->name ? p->name : "(none)");
	for (size_t i = 0; p->groups && p->groups[i]; i++)
		str_addf(&out, "[%s]", p->groups[i]);
	request_answer(r, 200, "text/plain", out.data, out.len, NULL);
}

static int make(void **state)
{
	handled = gone = 0;
	return tls_make(state);
}

#define GET "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void test_a_certificate_names_its_client(void **state)
{
	static const char *const groups[] = { "system:nodes", "Amt f\xc3\xbcr IT", NULL };
	auto_str struct str out = STR_INIT(1 << 16);
	struct pki_pair pair;

	(void)state;
	at_start(tls_options(handle));
	tls_request(NULL, GET, &out);
	assert_string_equal(raw_body(&out), "kind=0 name=(none) groups=");
	tls_issue(&tls.ca, "system:node:n1", groups, false, &pair);
	tls_request(&pair, GET, &out);
	assert_string_equal(raw_body(&out),
			    "kind=2 name=system:node:n1 groups=[system:nodes][Amt f\xc3\xbcr IT]");
	tls_issue(&tls.ca, "anna", NULL, false, &pair);
	tls_request(&pair, GET, &out);
	assert_string_equal(raw_body(&out), "kind=2 name=anna groups=");
}

static char openssl[] = "openssl";

/* A certificate that pki_issue() would not make. */
static void forge(const char *subject, const char *extensions, struct pki_pair *ret)
{
	static char req[] = "req", new[] = "-new", newkey[] = "-newkey", ec[] = "ec", opt[] = "-pkeyopt",
		    utf8[] = "-utf8", curve[] = "ec_paramgen_curve:P-256", nodes[] = "-nodes",
		    keyout[] = "-keyout", key[] = "key", subj[] = "-subj", out[] = "-out", csr[] = "csr",
		    x509[] = "x509", dash_req[] = "-req", in[] = "-in", ca[] = "-CA", ca_file[] = "ca",
		    ca_key[] = "-CAkey", cert[] = "cert", ext[] = "-extfile", ext_file[] = "ext";
	auto_str struct str text = STR_INIT(1 << 16), key_text = STR_INIT(1 << 16);
	char *name = strdup(subject);
	char *make_csr[] = { openssl, req,    new, utf8, newkey, ec,  opt, curve,
			     nodes,   keyout, key, subj, name,	 out, csr, NULL };
	char *sign[] = { openssl, x509,	   dash_req, in,       csr, ca,	  ca_file,
			 ca_key,  ca_file, ext,	     ext_file, out, cert, NULL };

	str_addf(&text, "%s%s", tls.ca.cert, tls.ca.key);
	tls_put("ca", text.data);
	tls_put("ext", extensions);
	assert_int_equal(tls_run(make_csr), 0);
	assert_int_equal(tls_run(sign), 0);
	free(name);
	str_clear(&text);
	assert_ok(file_read(tls.dir, "cert", &text));
	assert_ok(file_read(tls.dir, "key", &key_text));
	ret->cert = arena_strdup(tls.arena, text.data);
	ret->key = arena_strdup(tls.arena, key_text.data);
	tls_put("ca", tls.ca.cert);
}

static void assert_refused(const struct pki_pair *who)
{
	auto_str struct str out = STR_INIT(1 << 16);

	tls_request(who, GET, &out);
	assert_string_equal(out.data, "");
	assert_int_equal(handled, 0);
}

static void test_a_wrong_certificate_ends_the_handshake(void **state)
{
	static const char *const groups[] = { "system:masters", NULL };
	static const char client[] = "extendedKeyUsage=clientAuth\n";
	auto_str struct str out = STR_INIT(1 << 16);
	struct pki_pair pair, expired;
	const struct pki_request second = { .name = "x", .client = true, .lifetime = (int64_t)NSEC_PER_SEC };

	(void)state;
	at_start(tls_options(handle));
	assert_ok(pki_issue(tls.arena, &tls.ca, &second, &expired));
	int64_t end = clock_monotonic() + 2 * (int64_t)NSEC_PER_SEC;
	tls_issue(&tls.other_ca, "eve", groups, false, &pair);
	assert_refused(&pair);
	assert_refused(&tls.server); /* not for clients */
	assert_refused(&tls.other_ca);
	forge("/CN=a/CN=b", client, &pair);
	assert_refused(&pair);
	forge("/O=only", client, &pair);
	assert_refused(&pair);
	forge("/CN=a\x01", client, &pair);
	assert_refused(&pair);
	forge("/CN=a/O=1/O=2/O=3/O=4/O=5/O=6/O=7/O=8/O=9/O=10/O=11/O=12/O=13/O=14/O=15/O=16/O=17", client,
	      &pair);
	assert_refused(&pair);
	forge("/CN=a", "extendedKeyUsage=serverAuth\n", &pair);
	assert_refused(&pair);
	while (clock_monotonic() < end)
		poll(NULL, 0, 50);
	assert_refused(&expired);
	/* The forgery as such is good. */
	forge("/CN=a/O=b", client, &pair);
	tls_request(&pair, GET, &out);
	assert_string_equal(raw_body(&out), "kind=2 name=a groups=[b]");
}

static void test_old_tls_and_plain_text_get_nothing(void **state)
{
	static const char *const options[] = { "-tls1_1", "-tls1", "-ssl3",
					       "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256" };
	auto_str struct str out = STR_INIT(1 << 16);

	(void)state;
	at_start(tls_options(handle));
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct tls_client c = tls_connect("ca", NULL, options[i]);
		send(c.fd, GET, strlen(GET), MSG_NOSIGNAL);
		raw_all(c.fd, &out);
		assert_string_equal(out.data, "");
		tls_close(&c);
	}
	auto_close int fd = raw_connect();
	raw_send(fd, GET);
	raw_all(fd, &out);
	assert_null(strstr(out.data, "HTTP"));
	assert_int_equal(handled, 0);
	struct tls_client c = tls_connect("ca", NULL, "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256");
	raw_send(c.fd, GET);
	raw_all(c.fd, &out);
	tls_close(&c);
	assert_non_null(strstr(out.data, "kind=0"));
}

static void renew(void *user)
{
	const struct pki_pair *p = user;

	assert_ok(server_set_tls(at.server, p->cert, p->key, tls.other_ca.cert));
}

static void renew_wrong(void *user)
{
	(void)user;
	assert_err(server_set_tls(at.server, tls.server.cert, tls.other_server.key, NULL),
		   "TLS certificate and key: The certificate and the given key do not match.");
}

static void test_renewed_certificates_are_for_new_connections(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);
	struct pki_pair anna, otto;

	(void)state;
	at_start(tls_options(handle));
	tls_issue(&tls.ca, "anna", NULL, false, &anna);
	tls_issue(&tls.other_ca, "otto", NULL, false, &otto);
	struct tls_client old = tls_connect("ca", &anna, NULL);
	raw_send(old.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(raw_until(old.fd, &in, "kind=2 name=anna"));
	at_call(renew_wrong, NULL);
	at_call(renew, &tls.other_server);

	struct tls_client new = tls_connect("other_ca", &otto, NULL);
	str_clear(&in);
	raw_send(new.fd, GET);
	raw_all(new.fd, &in);
	tls_close(&new);
	assert_string_equal(raw_body(&in), "kind=2 name=otto groups=");
	struct tls_client wrong = tls_connect("ca", NULL, NULL);
	str_clear(&in);
	send(wrong.fd, GET, strlen(GET), MSG_NOSIGNAL);
	raw_all(wrong.fd, &in);
	tls_close(&wrong);
	assert_string_equal(in.data, "");

	raw_send(old.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(raw_until(old.fd, &in, "kind=2 name=anna"));
	at_call(renew, &tls.other_server); /* with an old daemon still there */
	tls_close(&old);
	wait_until(server_connections(at.server) == 0);
}

static void answer(void *user)
{
	(void)user;
	request_answer(waiting, 200, NULL, "late", 4, NULL);
}

static void test_late_answers_and_hang_ups_work_below_tls(void **state)
{
	auto_str struct str in = STR_INIT(1 << 16);

	(void)state;
	at_start(tls_options(handle));
	struct tls_client c = tls_connect("ca", NULL, NULL);
	raw_send(c.fd, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_until(handled == 1);
	at_call(answer, NULL);
	assert_true(raw_until(c.fd, &in, "late"));
	raw_send(c.fd, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_until(handled == 2);
	tls_close(&c);
	wait_until(gone == 1);
	at_call(answer, NULL);
	wait_until(server_connections(at.server) == 0);
}

/* What GnuTLS has read ahead makes no socket readable: nothing may wait for that. */
static void test_large_bodies_go_both_ways_below_tls(void **state)
{
	enum { LEN = 1 << 20 };
	auto_str struct str request = STR_INIT(2 << 20), in = STR_INIT(2 << 20);
	struct server_options o = tls_options(handle);

	(void)state;
	o.request_timeout = 60 * (int64_t)NSEC_PER_SEC;
	at_start(o);
	struct tls_client c = tls_connect("ca", NULL, NULL);
	str_addf(&request, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", LEN);
	for (int i = 0; i < LEN; i++)
		str_add_char(&request, (char)('a' + i % 26));
	for (int i = 0; i < 5; i++) {
		size_t want = LEN;
		assert_ok(fd_write_all(c.fd, request.data, request.len));
		str_clear(&in);
		assert_true(raw_until(c.fd, &in, "\r\n\r\n"));
		const char *body = raw_body(&in);
		size_t had = in.len - (size_t)(body - in.data);
		want -= had;
		char *room = str_room(&in, want);
		assert_ok(fd_read_exact(c.fd, room, want));
		str_grown(&in, want);
		assert_string_equal(raw_body(&in), request.data + request.len - LEN);
	}
	tls_close(&c);
}

static void test_refusals_and_time_limits_hold_below_tls(void **state)
{
	struct server_options o = tls_options(handle);
	auto_str struct str in = STR_INIT(1 << 16);

	(void)state;
	o.max_body = 10;
	o.request_timeout = 400 * (int64_t)NSEC_PER_MSEC;
	at_start(o);
	tls_request(NULL, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", &in);
	assert_int_equal(raw_status(&in), 413);
	tls_request(NULL, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx", &in);
	assert_int_equal(raw_status(&in), 408);
	/* A handshake that does not begin. */
	auto_close int fd = raw_connect();
	str_clear(&in);
	raw_all(fd, &in);
	assert_string_equal(in.data, "");
	assert_int_equal(handled, 0);
	wait_until(server_connections(at.server) == 0);
}

static void test_wrong_keys_are_refused_at_the_start(void **state)
{
	auto_loop struct loop *l = NULL;
	struct server_options o = tls_options(handle);
	struct server *s;

	(void)state;
	assert_ok(loop_new(&l));
	o.address = "127.0.0.1:0";
	o.key = tls.other_server.key;
	assert_err(server_new(l, &o, &s),
		   "TLS certificate and key: The certificate and the given key do not match.");
	o.key = NULL;
	assert_err(server_new(l, &o, &s), "TLS: a certificate and its key belong together");
	o.key = tls.server.key;
	o.client_ca = "nothing";
	assert_err(server_new(l, &o, &s), "TLS: authority of clients: no certificate");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, tls_unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_certificate_names_its_client),
		TEST(test_a_wrong_certificate_ends_the_handshake),
		TEST(test_old_tls_and_plain_text_get_nothing),
		TEST(test_renewed_certificates_are_for_new_connections),
		TEST(test_late_answers_and_hang_ups_work_below_tls),
		TEST(test_large_bodies_go_both_ways_below_tls),
		TEST(test_refusals_and_time_limits_hold_below_tls),
		TEST(test_wrong_keys_are_refused_at_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
