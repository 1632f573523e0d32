/* examples/portal/apply.c: the forms, drawn from antrag's catalogue. */
#include "base/log.h"
#include "examples/portal/pages.h"
#include "examples/token.h"

static const struct field_problem *problem_of(const struct field_problems *problems, const char *field)
{
	for (size_t i = 0; i < problems->list.count; i++)
		if (str_equal(problems->list.items[i].field, field))
			return &problems->list.items[i];
	return NULL;
}

/* The ids that describe a field to a screen reader: its hint and its problem. */
static void add_described(struct page *p, const struct form_field *field, const struct field_problem *problem)
{
	if (!field->hint.de && !problem)
		return;
	str_add(p->html, " aria-describedby=\"");
	if (field->hint.de)
		html_add(p->html, "%s-hint", field->name);
	if (problem)
		html_add(p->html, "%s%s-problem", field->hint.de ? " " : "", field->name);
	str_add_char(p->html, '"');
	if (problem)
		str_add(p->html, " aria-invalid=\"true\"");
}

static void add_hint_and_problem(struct page *p, const struct form_field *field,
				 const struct field_problem *problem)
{
	if (field->hint.de)
		html_add(p->html, "<p class=\"hint\" id=\"%s-hint\">%s</p>\n", field->name,
			 say_words(p, &field->hint));
	if (problem)
		html_add(p->html, "<p class=\"problem\" id=\"%s-problem\">%s</p>\n", field->name,
			 say_words(p, &problem->words));
}

static void add_label_text(struct page *p, const struct form_field *field)
{
	html_add(p->html, "%s", say_words(p, &field->label));
	if (!field->required)
		html_add(p->html, " <span class=\"optional\">(%s)</span>", say(p, "freiwillig", "optional"));
}

static void add_choices(struct page *p, const struct form_field *field, const struct field_problem *problem)
{
	struct str *h = p->html;

	html_add(h, "<fieldset class=\"field%s\" id=\"%s\" tabindex=\"-1\"", problem ? " wrong" : "",
		 field->name);
	add_described(p, field, problem);
	str_add(h, ">\n<legend>");
	add_label_text(p, field);
	str_add(h, "</legend>\n");
	add_hint_and_problem(p, field, problem);
	for (size_t i = 0; i < field->choices.count; i++) {
		const struct choice *choice = &field->choices.items[i];
		bool chosen = str_equal(page_value(p, field->name), choice->value);

		html_add(h,
			 "<label class=\"choice\"><input type=\"radio\" name=\"%s\" value=\"%s\"%s> "
			 "%s</label>\n",
			 field->name, choice->value, chosen ? " checked" : "", say_words(p, &choice->label));
	}
	str_add(h, "</fieldset>\n");
}

/* What a browser may help with; the check is antrag's alone. */
static const char *input_type(int kind)
{
	static const struct {
		int kind;
		const char *type;
	} rows[] = {
		{ FIELD_DATE, "type=\"date\"" },
		{ FIELD_EMAIL, "type=\"email\" inputmode=\"email\"" },
		{ FIELD_TAX, "type=\"text\" inputmode=\"numeric\" class=\"short\" spellcheck=\"false\"" },
		{ FIELD_INSURANCE, "type=\"text\" class=\"short\" spellcheck=\"false\"" },
		{ FIELD_IBAN, "type=\"text\" autocapitalize=\"characters\" spellcheck=\"false\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].kind == kind)
			return rows[i].type;
	return "type=\"text\"";
}

static void add_input(struct page *p, const struct form_field *field, const struct field_problem *problem)
{
	struct str *h = p->html;

	html_add(h, "<div class=\"field%s\"><label for=\"%s\">", problem ? " wrong" : "", field->name);
	add_label_text(p, field);
	str_add(h, "</label>\n");
	add_hint_and_problem(p, field, problem);
	html_add(h, "<input id=\"%s\" name=\"%s\" value=\"%s\" ", field->name, field->name,
		 page_value(p, field->name));
	str_add(h, input_type(field->type));
	if (field->autocomplete)
		html_add(h, " autocomplete=\"%s\"", field->autocomplete);
	else
		str_add(h, " autocomplete=\"off\"");
	if (field->required)
		str_add(h, " aria-required=\"true\"");
	add_described(p, field, problem);
	str_add(h, "></div>\n");
}

/* On top, with links to the fields, and announced: nobody should have to hunt for what is wrong. */
static void add_summary(struct page *p, const struct form *form, const struct field_problems *problems)
{
	struct str *h = p->html;

	if (problems->list.count == 0)
		return;
	html_add(h, "<div class=\"notice bad\" role=\"alert\"><h2>%s</h2>\n<ul>\n",
		 say(p, "Bitte prüfen Sie Ihre Angaben", "Please check what you wrote"));
	for (size_t i = 0; i < form->fields.count; i++) {
		const struct form_field *field = &form->fields.items[i];
		const struct field_problem *problem = problem_of(problems, field->name);

		if (problem)
			html_add(h, "<li><a href=\"#%s\">%s</a>: %s</li>\n", field->name,
				 say_words(p, &field->label), say_words(p, &problem->words));
	}
	str_add(h, "</ul></div>\n");
}

static void form_page(struct page *p, const struct form *form, const struct field_problems *problems)
{
	struct str *h = p->html;
	auto_str struct str title = STR_INIT(1024);

	str_addf(&title, "%s%s", problems->list.count ? say(p, "Fehler: ", "Error: ") : "",
		 say_words(p, &form->title));
	page_open(p, title.data);
	html_add(h, "<p class=\"back\"><a href=\"/\">%s</a></p>\n<h1>%s</h1>\n<p class=\"lead\">%s</p>\n",
		 say(p, "Meine Anträge", "My applications"), say_words(p, &form->title),
		 say_words(p, &form->summary));
	add_summary(p, form, problems);
	page_form(p, "/apply/{}", form->name);
	for (size_t i = 0; i < form->fields.count; i++) {
		const struct form_field *field = &form->fields.items[i];
		const struct field_problem *problem = problem_of(problems, field->name);

		if (field->type == FIELD_CHOICE)
			add_choices(p, field, problem);
		else
			add_input(p, field, problem);
	}
	if (form->assurance >= LOA_SUBSTANTIAL)
		html_add(h, "<p class=\"hint\">%s</p>\n",
			 say(p, "Beim Absenden wird der Antrag in Ihrem Namen elektronisch unterschrieben.",
			     "When you send it, the application is signed electronically in your name."));
	html_add(h, "<button class=\"button\">%s</button>\n</form>\n",
		 say(p, "Antrag absenden", "Send application"));
	page_close(p);
}

/* The form of the path; without one, or without a citizen, the answer is written and *ret NULL. */
static err *find_form(struct page *p, const struct form **ret)
{
	struct forms *forms;
	const struct form *form;

	*ret = NULL;
	if (!p->signed_in)
		return page_redirect(p, "/sign-in");
	TRY_ALLOC(p->request->arena, forms, arena_alloc(p->request->arena, sizeof(*forms)));
	TRY(backend_forms(&p->portal->backend, p->request->arena, forms));
	form = forms_find(forms, p->request->part[0]);
	if (!form || p->session.role != ROLE_CITIZEN)
		return page_failure(p, 404);
	*ret = form;
	return NULL;
}

err *get_apply(const struct http_request *r, struct http_response *out)
{
	const struct form *form;
	struct page p;

	TRY(page_begin(&p, r, out));
	TRY(find_form(&p, &form));
	if (form)
		form_page(&p, form, &(struct field_problems){ 0 });
	return NULL;
}

static err *assurance_page(struct page *p)
{
	page_open(p, say(p, "Ausweis nötig", "Identity card needed"));
	html_add(p->html,
		 "<h1>%s</h1>\n<p class=\"lead\">%s</p>\n<p><a class=\"button\" href=\"/\">%s</a></p>\n",
		 say(p, "Dafür müssen wir sicher wissen, wer Sie sind",
		     "For this we must be sure who you are"),
		 say(p,
		     "Für diesen Antrag reicht die Anmeldung mit Passwort nicht. Bitte verbinden Sie Ihre "
		     "BayernID mit "
		     "dem Online-Ausweis und stellen Sie den Antrag dann noch einmal.",
		     "For this application a password is not enough. Please connect your BayernID with your "
		     "identity card and then apply again."),
		 say(p, "Zur Startseite", "To the start page"));
	page_close(p);
	p->response->status = 403;
	return NULL;
}

/* The application is kept before it is signed: if signing fails, nothing typed is lost, and its page offers
 * to sign. */
static err *sign_now(struct page *p, const struct application *application)
{
	struct refusal refusal = { 0 };
	auto_err err *e =
		backend_sign(&p->portal->backend, p->request->arena, p->session.token, application, &refusal);

	if (e)
		log_err(e);
	auto_str struct str location = STR_INIT(128);
	str_addf(&location, "/applications/%s?done=applied", application->number);
	TRY(str_check(&location));
	return page_redirect(p, location.data);
}

err *post_apply(const struct http_request *r, struct http_response *out)
{
	struct field_problems problems = { 0 };
	struct application application = { 0 };
	struct string_map fields = { 0 };
	struct refusal refusal = { 0 };
	const struct form *form;
	struct page p;
	bool good;

	TRY(page_begin_form(&p, r, out, &good));
	if (!good)
		return NULL;
	TRY(find_form(&p, &form));
	if (!form)
		return NULL;
	TRY_ALLOC(r->arena, fields.items, arena_array(r->arena, form->fields.count, sizeof(*fields.items)));
	for (size_t i = 0; i < form->fields.count; i++) {
		const char *name = form->fields.items[i].name;

		fields.items[fields.count++] = (struct string_pair){ name, page_value(&p, name) };
	}
	TRY(backend_apply(&p.portal->backend, r->arena, p.session.token, form->name, &fields, &application,
			  &problems, &refusal));
	if (refusal.status == 0)
		return sign_now(&p, &application);
	if (refusal.status == 403 && str_equal(refusal.code, "assurance_too_low"))
		return assurance_page(&p);
	if (refusal.status != 422)
		return page_refused(&p, &refusal);
	out->status = 422;
	form_page(&p, form, &problems);
	return NULL;
}
