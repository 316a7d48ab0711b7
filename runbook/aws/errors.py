"""What can go wrong between here and AWS, each in words that a person can act on."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Sequence

from botocore import exceptions as boto
from botocore.exceptions import ClientError

from runbook.failures import StepFailed

_LOG_IN_AGAIN = (
    "Log in again (e.g. `{login}`) and try again. If they came from the shell's environment, "
    "leave blueprime, which undoes nothing, set them anew, and come back with `blueprime resume`."
)
_UNCHANGED = "Nothing was changed by this call."

SIGN_IN = frozenset(
    {"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetRoleCredentials"}
)
"""The calls by which credentials are had: whatever comes of them, no other call was sent."""

WRONG_CODE = "MultiFactorAuthentication failed"
"""How STS says that it did not take a code, under the code AccessDenied."""

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "PriorRequestNotComplete",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
    }
)
"""The codes of a request that was refused because there were too many."""

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
_BAD_KEYS = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "AuthFailure",
        "InvalidAccessKeyId",
    }
)
_TIMED_OUT = frozenset({"RequestTimeout", "RequestTimeoutException"})

_NO_CREDENTIALS = (boto.NoCredentialsError, boto.PartialCredentialsError)
_BAD_CONFIGURATION = (boto.ProfileNotFound, boto.ConfigParseError)
_NOT_RENEWED = (
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.NoAuthTokenError,
    boto.SSOError,
    boto.LoginError,
)
_UNSENT = (
    *(boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError),
    *_NO_CREDENTIALS,
    *_BAD_CONFIGURATION,
    *_NOT_RENEWED,
    *(boto.ParamValidationError, boto.ValidationError),
    *(boto.NoRegionError, boto.EndpointProviderError),
)
"""What boto3 raises for a call that has not left this machine."""


class AwsError(StepFailed):
    """A call to AWS that brought no usable answer, in words."""


class AwsUnavailable(AwsError):
    """AWS was not reached, or could not answer; the call itself had no effect."""


class EndpointGone(AwsUnavailable):
    """Nobody listens at the address: a wrong endpoint URL, or a lab that was stopped."""


class UnknownRegion(AwsUnavailable):
    """The region's address does not resolve."""


class CredentialsError(AwsError):
    """There are no credentials, or AWS does not accept them."""


class CredentialsExpired(CredentialsError):
    """The credentials were good once."""

    renewable = False
    """Whether others can come from outside of this process: from a file, or a log-in."""


class MfaCodeNeeded(CredentialsError):
    """Signing in takes a code of a second factor; nobody has given one, or AWS did not take it."""

    def __init__(self, what: str) -> None:
        super().__init__(
            what,
            now="Nothing was asked of AWS or changed.",
            todo="In the app a dialog asks for it. Without a screen, give the code that the device "
            "shows now: blueprime --mfa-code CODE ..., or BLUEPRIME_MFA_CODE. It serves once.",
        )


class PasswordMissing(AwsError):
    """The plan's reference to a database password leads nowhere."""


class AwsRefused(AwsError):
    """AWS answered that it did not do it. `code` and `message` are AWS's own.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html
    """

    def __init__(self, code: str, message: str, *, action: str = "") -> None:
        call = f" {action}" if action else ""
        super().__init__(
            f"AWS refused{call}: {message.rstrip('.')} ({code}).",
            now="It did not happen.",
            todo=_advice(code),
        )
        self.code = code
        self.message = message

    @property
    def throttled(self) -> bool:
        """Whether AWS refused only because too many calls came at once."""
        return self.code in THROTTLED

    @property
    def passing(self) -> bool:
        """Whether AWS may see it otherwise in a moment.

        So it is with too many calls at once, with a resource that is busy, and with a name that is
        not known yet or not free yet.
        """
        return (
            self.throttled
            or any(word in self.code for word in ("NotFound", "AlreadyExists"))
            or (self.code.startswith("Invalid") and "State" in self.code)
        )


class AccessDenied(AwsRefused):
    """The principal may not make this call. AWS's message names it and the action."""


def _advice(code: str) -> str:
    if code in THROTTLED:
        return "AWS asks for a slower pace: wait a minute and try again."
    if code in _DENIED:
        return (
            "Allow the action for this principal in IAM (blueprime policy PLAN prints all that a "
            "run needs), then try again."
        )
    if "QuotaExceeded" in code or "LimitExceeded" in code:
        return "Raise the quota in Service Quotas, or remove what is no longer needed; try again."
    if "AlreadyExists" in code:
        return "Look at what bears that name: it may be this run's own from an earlier attempt."
    if code.startswith("Invalid") and "State" in code:
        return "Wait until it is available, then try again."
    if "NotFound" in code:
        return "Look whether it was deleted or renamed, and in which region you are."
    return "Correct what AWS names, then try again."


def status_of(error: ClientError) -> int:
    """Return the HTTP status of an AWS answer, 0 where there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def code_of(error: ClientError) -> str:
    """Return AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def answered(error: Exception) -> bool:
    """Tell whether AWS certainly did not do it: it said no, or was never reached.

    A 5xx answer, a lost connection or an unreadable answer leaves open whether it happened.
    """
    if isinstance(error, AwsError):
        return True
    if isinstance(error, ClientError):
        code = code_of(error)
        if code in THROTTLED or error.operation_name in SIGN_IN:
            return True
        return 400 <= status_of(error) < 500 and code not in _TIMED_OUT
    return isinstance(error, _UNSENT)


def refused_connection(error: BaseException | None) -> bool:
    """Tell whether the address was reached and nobody listened there."""
    if not isinstance(error, boto.EndpointConnectionError):
        return False
    cause: BaseException | None = error.kwargs.get("error")
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def explain(
    error: Exception,
    action: str,
    region: str,
    regions: Callable[[], Sequence[str]],
    profile: str = "",
) -> AwsError:
    """Return a failed call in words. `action` as `rds:DescribeDBClusters`.

    `regions` tells which regions there are; it is asked only when the configuration is sound.
    `profile` is the one whose credentials are used, if any.
    """
    log_in = _LOG_IN_AGAIN.format(
        login=f"aws sso login --profile {shlex.quote(profile)}" if profile else "aws sso login"
    )
    if isinstance(error, AwsError):
        return error
    if isinstance(error, ClientError):
        return _explain_answer(error, action, log_in)
    if isinstance(error, boto.EndpointConnectionError):
        return _explain_unreached(error, region, regions())
    if isinstance(error, _NO_CREDENTIALS):
        return CredentialsError(
            "There are no AWS credentials here.",
            now="AWS was not asked.",
            todo="Set AWS_PROFILE or log in (e.g. `aws sso login`), check with "
            "`aws sts get-caller-identity`, and try again.",
        )
    if isinstance(error, _BAD_CONFIGURATION):
        return CredentialsError(
            f"The AWS configuration cannot be used: {error}.",
            now="AWS was not asked.",
            todo="Correct AWS_PROFILE or ~/.aws/config, and try again.",
        )
    if isinstance(error, _NOT_RENEWED):
        return CredentialsExpired(
            f"The AWS credentials could not be renewed: {error}.",
            now="AWS was not asked.",
            todo=log_in,
        )
    if isinstance(error, boto.ParamValidationError):
        return AwsRefused("ParamValidation", str(error), action=action)
    if isinstance(error, boto.InvalidRegionError | boto.NoRegionError):
        return _unknown_region(region, regions())
    return AwsUnavailable(
        f"No usable answer to {action} from AWS in {region}: {error}.",
        now=_UNCHANGED,
        todo="Check the network, a VPN or proxy, and the AWS health page; then try again.",
    )


def _explain_answer(error: ClientError, action: str, log_in: str) -> AwsError:
    code = code_of(error)
    if error.operation_name in SIGN_IN:
        action = f"sts:{error.operation_name}"
    message = str(error.response.get("Error", {}).get("Message", "")) or "no reason given"
    if error.operation_name in SIGN_IN and WRONG_CODE in message:
        return MfaCodeNeeded(f"AWS did not take the code of the second factor: {message}")
    if code in _DENIED:
        return AccessDenied(code, message, action=action)
    if code in _EXPIRED:
        return CredentialsExpired(
            f"The AWS credentials have expired ({code} at {action}).",
            now="It did not happen.",
            todo=log_in,
        )
    if code in _BAD_KEYS:
        return CredentialsError(
            f"AWS does not accept these credentials: {message.rstrip('.')} ({code}).",
            now="It did not happen.",
            todo="Check AWS_PROFILE, the keys and this machine's clock; then try again.",
        )
    if answered(error):
        return AwsRefused(code, message, action=action)
    return AwsUnavailable(
        f"AWS could not answer {action}: {message.rstrip('.')} ({code or status_of(error)}).",
        now=_UNCHANGED,
        todo="Try again; if it stays so, look at the AWS health page.",
    )


def _explain_unreached(
    error: boto.EndpointConnectionError, region: str, regions: Sequence[str]
) -> AwsError:
    url = error.kwargs.get("endpoint_url", "")
    if refused_connection(error):
        return EndpointGone(
            f"Nobody answers at {url}.",
            now="Nothing was changed.",
            todo="If this is a rehearsal, the lab is not running: `blueprime lab status`. "
            "Otherwise check AWS_ENDPOINT_URL.",
        )
    if region not in regions:
        return _unknown_region(region, regions)
    return AwsUnavailable(
        f"AWS was not reached at {url}.",
        now="Nothing was changed.",
        todo="Check the network, a VPN or proxy, and AWS_ENDPOINT_URL; then try again.",
    )


def _unknown_region(region: str, regions: Sequence[str]) -> UnknownRegion:
    near = difflib.get_close_matches(region, regions, n=3)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return UnknownRegion(
        f"The AWS region {region!r} is not known here, and its address does not resolve."
        if region
        else "No AWS region is set.",
        now="Nothing was changed.",
        todo=f"Set the region in the plan, with --region or in AWS_REGION.{hint}",
    )
