"""Django's settings; everything that differs between machines comes from the environment (docs/settings.md)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from project import env, private
from project.queues import rq_queues
from project.static_version import static_version

BASE_DIR = Path(__file__).resolve().parent.parent

KOMA_UMASK = private.set_umask()  # the person's own, for what a command writes outside of the data folder

# --- Where things lie -------------------------------------------------------------------------------------------------
KOMA_DATA_DIR = env.env_path("KOMA_DATA_DIR", BASE_DIR / "var")
KOMA_MODELS_DIR = env.env_path("KOMA_MODELS_DIR", KOMA_DATA_DIR / "models")
KOMA_EXPORT_DIR = env.env_path("KOMA_EXPORT_DIR", KOMA_DATA_DIR / "exports")
KOMA_EXPORTS_SHARED = env.env_bool("KOMA_EXPORTS_SHARED", default=False)
KOMA_LIBRARY_DIRS = env.env_folders("KOMA_LIBRARY_DIRS")
KOMA_UPLOAD_MAX_BYTES = env.env_bytes("KOMA_UPLOAD_MAX_BYTES", 32 * 2**30)
KOMA_UPLOAD_RESERVED_BYTES = env.env_bytes("KOMA_UPLOAD_RESERVED_BYTES", 64 * 2**30)
KOMA_DISK_RESERVE_BYTES = env.env_bytes("KOMA_DISK_RESERVE_BYTES", 2 * 2**30)
# How much may be kept, where an admin of the site says nothing else on the pages for it; 0: no limit.
KOMA_QUOTA_COLLECTION_BYTES = env.env_bytes("KOMA_QUOTA_COLLECTION_BYTES", 0)
KOMA_QUOTA_COLLECTION_PICTURES = env.env_int("KOMA_QUOTA_COLLECTION_PICTURES", 0, minimum=0, maximum=10**12)
KOMA_QUOTA_PERSON_BYTES = env.env_bytes("KOMA_QUOTA_PERSON_BYTES", 0)
KOMA_QUOTA_PERSON_PICTURES = env.env_int("KOMA_QUOTA_PERSON_PICTURES", 0, minimum=0, maximum=10**12)
# Where models come from when somebody asks for one; nothing else talks to it.
KOMA_HUB_URL = env.env_service_url("KOMA_HUB_URL", "https://huggingface.co")
KOMA_HUB_TOKEN = env.env_secret("KOMA_HUB_TOKEN", sent_to=KOMA_HUB_URL)

# --- Who may talk to us -----------------------------------------------------------------------------------------------
DEBUG = env.env_bool("DEBUG", default=False)
SECRET_KEY = env.secret_key(data_dir=KOMA_DATA_DIR, debug=DEBUG)
KOMA_BIND = env.env_str("KOMA_BIND", "127.0.0.1")
KOMA_PORT = env.env_int("KOMA_PORT", 8000, minimum=1, maximum=65535)
KOMA_WEB_WORKERS = env.env_int("KOMA_WEB_WORKERS", 2, minimum=1, maximum=64)
ALLOWED_HOSTS = env.env_list("ALLOWED_HOSTS", ("127.0.0.1", "localhost", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.env_origins("CSRF_TRUSTED_ORIGINS")
# On behind a proxy that speaks https and sets X-Forwarded-Proto itself; without such a proxy anybody could forge it.
KOMA_HTTPS_PROXY = env.env_bool("KOMA_HTTPS_PROXY", default=False)

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if KOMA_HTTPS_PROXY else None
SECURE_SSL_REDIRECT = KOMA_HTTPS_PROXY
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]  # asked from inside the container, past the proxy
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if KOMA_HTTPS_PROXY else 0
# Sub-domains and preload lists concern other people's sites on the same domain: not ours to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = KOMA_HTTPS_PROXY
SESSION_COOKIE_NAME = "koma_session"
CSRF_COOKIE_NAME = "koma_csrf"
CSRF_FAILURE_VIEW = "project.errors.csrf_failure"
CSRF_COOKIE_HTTPONLY = True  # htmx takes the token from the page, never from the cookie
SESSION_COOKIE_AGE = 30 * 24 * 3600
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 2**20  # bytes of one request; uploads come in smaller chunks
# Files of one form, for browsers without script; each that is large is an open file until the form is done.
DATA_UPLOAD_MAX_NUMBER_FILES = env.env_int("KOMA_FORM_FILES", 500, minimum=1, maximum=900)
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
# Scripts and styles from our own files only; a style attribute is allowed, because boxes and bars are placed by it.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

# --- Parts ------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "project.apps.KomaAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "django_rq",
    "project.apps.ProjectConfig",
    "ingest.apps.IngestConfig",
    "annotate.apps.AnnotateConfig",
    "export.apps.ExportConfig",
]
MIDDLEWARE = [
    "project.middleware.head_without_body",
    "project.timing.server_timing",
    "project.middleware.content_security_policy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.middleware.CompressPages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "project.middleware.RefuseUnstorable",
    "project.middleware.login_for_htmx",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "project.middleware.page_for_form_addresses",
    "ingest.views.once.Once",
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["ingest.templatetags.forms"],  # fields that every form carries
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "ingest.context.page_frame",
                "ingest.context.rights",
            ],
        },
    },
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",  # rows of long lists: `ingest.views.macros`
        "DIRS": [BASE_DIR / "templates" / "jinja2"],
        "OPTIONS": {"environment": "project.row_templates.environment"},
    },
]

# --- Captions by a server with OpenAI's chat interface ----------------------------------------------------------------
KOMA_CAPTION_URL = env.env_service_url("KOMA_CAPTION_URL")
KOMA_CAPTION_MODEL = env.env_str("KOMA_CAPTION_MODEL")
KOMA_CAPTION_KEY = env.env_secret("KOMA_CAPTION_KEY")
KOMA_CAPTION_IN_FLIGHT = env.env_int("KOMA_CAPTION_IN_FLIGHT", 8, minimum=1, maximum=128)
KOMA_CAPTION_TIMEOUT_S = env.env_int("KOMA_CAPTION_TIMEOUT_S", 120, minimum=1, maximum=600)
KOMA_CAPTION_SILENCE_S = env.env_int("KOMA_CAPTION_SILENCE_S", 180, minimum=1, maximum=3600)

# --- Database, queues -------------------------------------------------------------------------------------------------
DATABASES = {"default": env.database_settings(env.env_str("DATABASE_URL"), data_dir=KOMA_DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
OWN_REDIS_URL = f"unix://{quote(str(KOMA_DATA_DIR / 'redis' / 'redis.sock'))}"  # of the server that `make demo` starts
REDIS_URL = env.env_url("REDIS_URL", OWN_REDIS_URL, schemes=env.REDIS_SCHEMES)
RQ_QUEUES = rq_queues(REDIS_URL)
RQ = {"COMMIT_MODE": "on_db_commit", "DEFAULT_RESULT_TTL": 3600}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Stages in the order in which a run takes them; dotted, so that ingest runs the stages of apps it must not know.
PIPELINE_STAGES: list[str] = [
    "project.demo_stage.DrawDemo",
    "ingest.stages.extract.Extract",
    "ingest.stages.read_pictures.ReadPictures",
    "ingest.stages.side_files.ReadSideFiles",
    "annotate.stages.text.FindText",
    "ingest.stages.dedup.Dedup",
    "ingest.stages.pictures.Pictures",
    "annotate.stages.run_models.RunModels",
    "annotate.stages.detect.Detect",
    "annotate.stages.tag.TagFrames",
    "annotate.stages.names.ReadNames",
    "annotate.stages.embed.Embed",
    "annotate.stages.cluster.Cluster",
    "annotate.stages.identify.Identify",
    "annotate.stages.caption.WriteCaptions",
]
# What every worker calls now and then: takes back what died, sends what waits.
SWEEPS = ["ingest.jobs.sweep", "annotate.jobs.sweep", "export.jobs.sweep"]

# --- People, language, files ------------------------------------------------------------------------------------------
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
# The packages are those with static files of their own: the admin's and htmx.
STATIC_URL = f"/static/{static_version(BASE_DIR / 'static', ('Django', 'django-htmx'))}/"
STATICFILES_DIRS = [BASE_DIR / "static"] if (BASE_DIR / "static").is_dir() else []
WHITENOISE_USE_FINDERS = True  # serves from the source folders, so no copy has to be made before a start
WHITENOISE_AUTOREFRESH = DEBUG
# A file at an address with a version never changes; while one works on the files, the version is that of the start.
WHITENOISE_IMMUTABLE_FILE_TEST = r"(?!)" if DEBUG else rf"^{STATIC_URL}"
MEDIA_ROOT = KOMA_DATA_DIR / "store"  # never under an address of its own: every file goes through an access check
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_HANDLERS = [
    "project.receiving.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
TEST_RUNNER = "django.test.runner.DiscoverRunner"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"rq.worker": {"level": "WARNING"}, "PIL": {"level": "WARNING"}, "faiss": {"level": "WARNING"}},
}
