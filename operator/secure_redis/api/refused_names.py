"""The names and paths that an injection or a published Secret must not use. One list, each row with its source.

The CRD's schema, the chart's admission policy and `domain` use the same patterns: `make chart-docs` writes them into
the CRD and into the chart. A pattern is valid for RE2 and for Python, it is linear, and it matches a whole text.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Refused:
    """A group of names. `patterns`: each matches a whole name. `effect`: what such a name does. `source`: its proof."""

    patterns: tuple[str, ...]
    effect: str
    source: str


ENV: Final = (
    Refused(("LD_.*", "GLIBC_TUNABLES"), "the dynamic loader loads other code", "ld.so(8)"),
    Refused(
        (
            "GCONV_PATH|GETCONF_DIR|HOSTALIASES|LOCALDOMAIN|LOCPATH|MALLOC_.*|NIS_PATH|NLSPATH|RES_OPTIONS",
            "RESOLV_HOST_CONF|TMPDIR|TZDIR",
        ),
        "the C library loads modules, resolves names or writes files elsewhere",
        "glibc sysdeps/generic/unsecvars.h, resolv.conf(5), mallopt(3)",
    ),
    Refused(
        ("PATH|IFS|ENV|CDPATH|BASH_.*|BASHOPTS|SHELLOPTS|PROMPT_COMMAND|PS[0-4]|HOME|SHELL|ZDOTDIR",),
        "a shell runs other programs or other startup files",
        "https://www.gnu.org/software/bash/manual/bash.html#Shell-Variables, dash(1), zsh(1)",
    ),
    Refused(
        ("EDITOR|VISUAL|PAGER|LESSOPEN|LESSCLOSE|BROWSER|SSH_ASKPASS|SSH_AUTH_SOCK|SUDO_ASKPASS",),
        "a program starts what the variable names",
        "environ(7), less(1), ssh(1), sudo(8)",
    ),
    Refused(
        ("PYTHON[A-Z0-9]*|PYTHON_HISTORY|PIP_.*",),
        "Python imports other modules or runs other code at its start",
        "https://docs.python.org/3/using/cmdline.html#environment-variables",
    ),
    Refused(
        ("NODE_OPTIONS|NODE_PATH|NODE_EXTRA_CA_CERTS|NODE_TLS_REJECT_UNAUTHORIZED|NODE_REPL_EXTERNAL_MODULE",),
        "Node.js loads other modules or trusts other servers",
        "https://nodejs.org/api/cli.html#environment-variables",
    ),
    Refused(
        ("(?i:npm_config_.*)", "(?i:npm_config|yarn_rc_filename)"),
        "npm and Yarn run other scripts or use another registry",
        "https://docs.npmjs.com/cli/using-npm/config#environment-variables",
    ),
    Refused(
        ("PERL5OPT|PERL5LIB|PERLLIB|PERL5DB|PERL5SHELL|PERLIO",),
        "Perl loads other modules",
        "https://perldoc.perl.org/perlrun#ENVIRONMENT",
    ),
    Refused(
        ("RUBYOPT|RUBYLIB|RUBYPATH|RUBYSHELL|GEM_HOME|GEM_PATH|BUNDLE_.*",),
        "Ruby loads other libraries",
        "ruby(1), ENVIRONMENT, https://bundler.io/man/bundle-config.1.html",
    ),
    Refused(
        (
            "JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|JAVA_OPTS|JAVA_HOME|CLASSPATH",
            "(CATALINA|MAVEN|GRADLE)_OPTS",
        ),
        "a Java virtual machine loads agents or other classes",
        "https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html, jvmti.html#tooloptions beside it",
    ),
    Refused(
        ("DOTNET_.*|CORECLR_.*|COR_.*|COMPlus_.*|ASPNETCORE_HOSTINGSTARTUP.*",),
        ".NET loads startup hooks, profilers or other assemblies",
        "https://github.com/dotnet/runtime/blob/main/docs/design/features/host-startup-hook.md, "
        "https://learn.microsoft.com/dotnet/core/runtime-config/debugging-profiling",
    ),
    Refused(
        (
            "PHPRC|PHP_INI_SCAN_DIR",
            "LUA_(PATH|CPATH|INIT)(_[0-9_]+)?",
            "ERL_.*|ELIXIR_ERL_OPTIONS|R_(PROFILE|ENVIRON).*",
        ),
        "PHP, Lua, Erlang or R load other code",
        "https://www.php.net/manual/configuration.file.php, https://www.lua.org/manual/5.4/manual.html#7, erl(1), "
        "R: help(Startup)",
    ),
    Refused(("GODEBUG|GOTRACEBACK",), "Go's runtime changes its TLS and its behaviour", "https://go.dev/doc/godebug"),
    Refused(
        ("GIT_.*",),
        "Git runs other programs",
        "https://git-scm.com/docs/git#_environment_variables",
    ),
    Refused(
        (
            "SSL_CERT_FILE|SSL_CERT_DIR|SSLKEYLOGFILE|OPENSSL_.*|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|AWS_CA_BUNDLE",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        ),
        "TLS trusts other authorities, loads modules or writes its keys",
        "https://docs.openssl.org/master/man7/openssl-env/, curl(1)",
    ),
    Refused(
        ("(?i:(https?|ftp|all|no|socks|wss?|rsync|grpc|cgi_http)_proxy)",),
        "requests use another host",
        "curl(1), ENVIRONMENT",
    ),
    Refused(
        ("KUBERNETES_.*|KUBECONFIG",),
        "clients of Kubernetes talk to another API server",
        "https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables",
    ),
    Refused(
        (
            "AZURE_(CLIENT_ID|TENANT_ID|FEDERATED_TOKEN_FILE|AUTHORITY_HOST|CLIENT_SECRET)|IDENTITY_ENDPOINT|MSI_ENDPOINT",
        ),
        "the pod's Azure identity is another one, or its token goes elsewhere",
        "https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html",
    ),
)

# A mount at one of these paths or below it is refused.
MOUNT_TREES: Final = (
    Refused(
        ("/bin|/sbin|/lib(32|64|x32|exec)?|/usr|/boot|/proc|/sys|/dev",),
        "it hides programs, libraries or the kernel's files",
        "https://refspecs.linuxfoundation.org/FHS_3.0/fhs-3.0.html",
    ),
    Refused(
        ("(/var)?/run/(secrets|systemd|docker[^/]*|containerd|crio|lock)",),
        "it hides the pod's identity or the sockets of the machine",
        "https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/",
    ),
    Refused(
        (
            "/etc/(ld[.]so[^/]*|ssl|pki|ca-certificates[^/]*|crypto-policies|pam[.][^/]*|security|sudo[^/]*|cron[^/]*)",
            "/etc/(profile[^/]*|bash[^/]*|zsh|environment|skel|init[^/]*|rc[^/]*|systemd|default|sysconfig|xdg)",
            "/etc/(passwd|group|g?shadow|login[.]defs|hosts[^/]*|hostname|resolv[.]conf|nsswitch[.]conf|gai[.]conf)",
            "/etc/(apt|apk|yum[^/]*|dnf|alternatives|ssh|selinux|apparmor[^/]*|ld-musl-[^/]*|krb5[^/]*|gitconfig)",
        ),
        "it replaces settings by which the loader, logins, TLS and name resolution work",
        "https://refspecs.linuxfoundation.org/FHS_3.0/fhs-3.0.html#etcHostspecificSystemConfiguration, ld.so(8), "
        "nsswitch.conf(5), pam.d(5)",
    ),
    Refused(
        (
            "/etc/(cont-init|cont-finish|services|s6-overlay|my_init|fix-attrs)[^/]*",
            "/(docker-)?entrypoint[^/]*",
        ),
        "the image's start script runs the files in it",
        "https://hub.docker.com/_/postgres (initialization scripts), https://github.com/just-containers/s6-overlay",
    ),
    Refused(
        (
            "/root",
            "/var/(lib/(dpkg|rpm|apk|kubelet|docker|containerd)|spool/cron)",
            "(/.*)?/[.](ssh|kube|config|local)",
        ),
        "programs read their startup files and credentials from it",
        "ssh(1), hier(7), https://specifications.freedesktop.org/basedir-spec/latest/",
    ),
)

# A mount at exactly one of these paths is refused, because it hides everything below it.
MOUNT_POINTS: Final = (
    Refused(
        ("/|/etc|/var|/run|/var/run|/var/lib|/var/spool|/home|/home/[^/]*|/tmp|/var/tmp|/opt",),
        "it hides the directories of the system and of others below it",
        "https://refspecs.linuxfoundation.org/FHS_3.0/fhs-3.0.html",
    ),
)

# Labels and annotations with one of these domains, or with a subdomain of it, are refused on the published Secret.
METADATA_DOMAINS: Final = (
    Refused(
        ("kubernetes[.]io|k8s[.]io|secureredis[.]io|argocd[.]argoproj[.]io",),
        "Kubernetes, Argo CD or the operator act on it",
        "https://kubernetes.io/docs/reference/labels-annotations-taints/",
    ),
    Refused(
        ("emberstack[.]com|mittwald[.]de|appscode[.]com|havulv[.]io|clustersecret[.]io|replizieren[.]dev",),
        "a replicator copies the Secret to other namespaces",
        "https://github.com/emberstack/kubernetes-reflector, https://github.com/mittwald/kubernetes-replicator, "
        "https://config-syncer.com, https://github.com/havulv/reflector, https://github.com/zakkg3/ClusterSecret, "
        "https://replizieren.dev/usage",
    ),
    Refused(
        ("synator|secret-copy|secret-replicator[^/]*|secretsync[^/]*|hnc[.]x-k8s[.]io|projectcapsule[.]dev",),
        "a replicator copies the Secret to other namespaces",
        "https://github.com/TheYkk/synator, https://github.com/kubernetes-retired/hierarchical-namespaces, "
        "https://projectcapsule.dev",
    ),
    Refused(
        ("karmada[.]io|liqo[.]io|admiralty[.]io|open-cluster-management[.]io|cattle[.]io",),
        "a multi-cluster tool copies the Secret to other clusters",
        "https://karmada.io, https://docs.liqo.io, https://admiralty.io, https://open-cluster-management.io, "
        "https://fleet.rancher.io",
    ),
    Refused(
        ("external-secrets[.]io|bitnami[.]com|banzaicloud[.]io|doppler[.]com|cert-manager[.]io|helm[.]sh|fluxcd[.]io",),
        "another controller owns, changes, publishes or deletes the Secret",
        "https://external-secrets.io, https://github.com/bitnami-labs/sealed-secrets, https://bank-vaults.dev, "
        "https://docs.doppler.com, https://cert-manager.io/docs/reference/annotations/, https://helm.sh/docs, "
        "https://fluxcd.io",
    ),
)


def _any(rows: tuple[Refused, ...]) -> str:
    return "|".join(pattern for row in rows for pattern in row.patterns)


# The patterns. Each is anchored, so that RE2's search and Python's agree.
ENV_PATTERN: Final = f"^({_any(ENV)})$"
# The same in two parts: the API server bounds what one rule of the CRD may cost.
ENV_PARTS: Final = (f"^({_any(ENV[:7])})$", f"^({_any(ENV[7:])})$")
MOUNT_PATTERN: Final = f"^(({_any(MOUNT_TREES)})(/.*)?|{_any(MOUNT_POINTS)})$"
METADATA_PATTERN: Final = f"^(?i:([a-z0-9.-]{{1,253}}[.])?({_any(METADATA_DOMAINS)}))/"

_ENV = re.compile(ENV_PATTERN, re.ASCII)
_MOUNT = re.compile(MOUNT_PATTERN, re.ASCII)
_METADATA = re.compile(METADATA_PATTERN, re.ASCII)


def refuses_env(name: str) -> bool:
    """Whether no injection may set an environment variable of this name."""
    return _ENV.search(name) is not None


def refuses_mount(path: str) -> bool:
    """Whether no injection may mount at this path, an absolute one without `.`, `..`, `//` and a slash at the end."""
    return _MOUNT.search(path) is not None


def refuses_metadata(name: str) -> bool:
    """Whether no published Secret may carry a label or an annotation of this name."""
    return _METADATA.search(name) is not None


def env_effect(name: str) -> str | None:
    """Explain what a variable of this name does; None if it is not refused."""
    return _effect(ENV, name, "({})")


def mount_effect(path: str) -> str | None:
    """Explain what a mount at this path does; None if it is not refused."""
    return _effect(MOUNT_TREES, path, "({})(/.*)?") or _effect(MOUNT_POINTS, path, "({})")


def metadata_effect(name: str) -> str | None:
    """Explain what a label or an annotation of this name does on a Secret; None if it is not refused."""
    domain, slash, _ = name.partition("/")
    return _effect(METADATA_DOMAINS, domain, "(?i:([a-z0-9.-]+[.])?({}))") if slash else None


def _effect(rows: tuple[Refused, ...], text: str, form: str) -> str | None:
    found = (row.effect for row in rows if re.fullmatch(form.format("|".join(row.patterns)), text, re.ASCII))
    return next(found, None)
