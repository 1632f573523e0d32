/* examples/portal/start.c: the start page: for a visitor, a citizen, a clerk. */
#include "examples/filenumber.h"
#include "examples/portal/pages.h"
#include "examples/token.h"

static void add_forms(struct page *p, const struct forms *forms)
{
	struct str *h = p->html;

	str_add(h, "<ul class=\"cards\">\n");
	for (size_t i = 0; i < forms->list.count; i++) {
		const struct form *form = &forms->list.items[i];

		html_add(h, "<li><h3><a href=\"/apply/%s\">%s</a></h3><p>%s</p></li>\n", form->name,
			 say_words(p, &form->title), say_words(p, &form->summary));
	}
	str_add(h, "</ul>\n");
}

static err *visitor_page(struct page *p)
{
	struct str *h = p->html;
	struct forms forms = { 0 };

	TRY(backend_forms(&p->portal->backend, p->request->arena, &forms));
	page_open(p, say(p, "Anträge online", "Applications online"));
	html_add(h, "<h1>%s</h1>\n<p class=\"lead\">%s</p>\n",
		 say(p, "Anträge online stellen und verfolgen", "Apply online, and see how far it is"),
		 say(p,
		     "Sie füllen ein Formular aus, bekommen ein Aktenzeichen und sehen jederzeit, wie weit "
		     "Ihr "
		     "Antrag ist.",
		     "You fill in a form, get a file number and see at any time how far your application "
		     "is."));
	html_add(h, "<p><a class=\"button\" href=\"/sign-in\">%s</a></p>\n<h2>%s</h2>\n",
		 say(p, "Anmelden", "Sign in"),
		 say(p, "Das können Sie beantragen", "What you can apply for"));
	add_forms(p, &forms);
	page_close(p);
	return NULL;
}

static void add_row(struct page *p, const struct forms *forms, const struct application *a, bool with_name)
{
	struct str *h = p->html;

	html_add(h, "<li><a href=\"/applications/%s\"><span class=\"what\">%s</span>", a->number,
		 kind_title(p, forms, a->kind));
	if (with_name)
		html_add(h, "<span class=\"who\">%s</span>", a->name);
	html_add(h, "<span class=\"number\">%s</span></a>", a->number);
	add_badge(p, (enum state)a->state);
	html_add(h, "<span class=\"when\">%s ", say(p, "Stand vom", "As of"));
	page_time(p, a->changed);
	str_add(h, "</span></li>\n");
}

static void add_rows(struct page *p, const struct forms *forms, const struct applications *found,
		     const char *nothing)
{
	bool clerk = p->session.role == ROLE_CLERK;

	if (found->list.count == 0) {
		html_add(p->html, "<p class=\"empty\">%s</p>\n", nothing);
		return;
	}
	str_add(p->html, "<ul class=\"rows\">\n");
	for (size_t i = 0; i < found->list.count; i++)
		add_row(p, forms, &found->list.items[i], clerk);
	str_add(p->html, "</ul>\n");
}

static void add_search(struct page *p)
{
	const char *typed = http_query(p->request, "number");
	const char *problem =
		typed ? say(p, "Dieses Aktenzeichen gibt es nicht. Bitte prüfen Sie jedes Zeichen.",
			    "There is no such file number. Please check each character.")
		      : NULL;
	struct str *h = p->html;

	html_add(h,
		 "<form class=\"search\" method=\"get\" action=\"/find\" role=\"search\">\n"
		 "<div class=\"field%s\"><label for=\"number\">%s</label>\n",
		 problem ? " wrong" : "", say(p, "Aktenzeichen", "File number"));
	html_add(h, "<p class=\"hint\" id=\"number-hint\">%s</p>\n",
		 say(p, "Zum Beispiel KG-2026-7K4MQ-9TX3H-P", "For example KG-2026-7K4MQ-9TX3H-P"));
	if (problem)
		html_add(h, "<p class=\"problem\" id=\"number-problem\">%s</p>\n", problem);
	html_add(h,
		 "<input id=\"number\" name=\"number\" value=\"%s\" autocomplete=\"off\" spellcheck=\"false\""
		 " maxlength=\"40\" aria-describedby=\"number-hint%s\"></div>\n",
		 typed ? typed : "", problem ? " number-problem" : "");
	html_add(h, "<button class=\"button second\">%s</button>\n</form>\n", say(p, "Anzeigen", "Show"));
}

static err *citizen_page(struct page *p)
{
	struct str *h = p->html;
	struct applications found = { 0 };
	struct refusal refusal = { 0 };
	struct forms forms = { 0 };

	TRY(backend_forms(&p->portal->backend, p->request->arena, &forms));
	TRY(backend_list(&p->portal->backend, p->request->arena, p->session.token, NULL, &found, &refusal));
	if (refusal.status)
		return page_refused(p, &refusal);
	page_open(p, say(p, "Meine Anträge", "My applications"));
	html_add(h, "<p class=\"greeting\">%s, %s</p>\n<h1>%s</h1>\n", say(p, "Guten Tag", "Hello"),
		 p->session.name, say(p, "Meine Anträge", "My applications"));
	add_rows(p, &forms, &found,
		 say(p, "Sie haben noch keinen Antrag gestellt.", "You have not applied for anything yet."));
	html_add(h, "<h2>%s</h2>\n", say(p, "Neuer Antrag", "New application"));
	add_forms(p, &forms);
	html_add(h, "<h2>%s</h2>\n", say(p, "Antrag suchen", "Find an application"));
	add_search(p);
	page_close(p);
	return NULL;
}

/* What waits comes first; what is decided can be found by its number. */
static err *clerk_page(struct page *p)
{
	static const struct {
		enum state state;
		struct words title;
	} parts[] = {
		{ STATE_RECEIVED, { "Neu eingegangen", "New" } },
		{ STATE_REVIEW, { "In Prüfung", "Being examined" } },
		{ STATE_QUERY, { "Warten auf Antwort", "Waiting for an answer" } },
	};
	struct forms forms = { 0 };

	TRY(backend_forms(&p->portal->backend, p->request->arena, &forms));
	page_open(p, say(p, "Eingänge", "Inbox"));
	html_add(p->html, "<p class=\"greeting\">%s, %s</p>\n<h1>%s</h1>\n", say(p, "Guten Tag", "Hello"),
		 p->session.name, say(p, "Eingänge", "Inbox"));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct applications found = { 0 };
		struct refusal refusal = { 0 };

		TRY(backend_list(&p->portal->backend, p->request->arena, p->session.token,
				 enum_name(state_names, (int)parts[i].state), &found, &refusal));
		if (refusal.status)
			return page_refused(p, &refusal);
		html_add(p->html, "<h2>%s <span class=\"count\">%d</span></h2>\n",
			 say_words(p, &parts[i].title), (int)found.list.count);
		add_rows(p, &forms, &found, say(p, "Nichts zu tun.", "Nothing to do."));
	}
	html_add(p->html, "<h2>%s</h2>\n", say(p, "Antrag suchen", "Find an application"));
	add_search(p);
	page_close(p);
	return NULL;
}

static err *start_page(struct page *p)
{
	if (!p->signed_in)
		return visitor_page(p);
	return p->session.role == ROLE_CLERK ? clerk_page(p) : citizen_page(p);
}

err *get_start(const struct http_request *r, struct http_response *out)
{
	struct page p;

	TRY(page_begin(&p, r, out));
	return start_page(&p);
}

/* A mistyped number is noticed here, by its check character, before anybody is asked. */
err *get_find(const struct http_request *r, struct http_response *out)
{
	const char *typed = http_query(r, "number");
	auto_str struct str location = STR_INIT(64);
	char number[FILENUMBER_SIZE];
	struct page p;

	TRY(page_begin(&p, r, out));
	if (!p.signed_in)
		return page_redirect(&p, "/sign-in");
	if (!typed || !filenumber_parse(typed, number)) {
		out->status = 404;
		return start_page(&p);
	}
	str_addf(&location, "/applications/%s", number);
	TRY(str_check(&location));
	return page_redirect(&p, location.data);
}
