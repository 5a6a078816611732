/*
 * The table of events: what Windows writes about sessions, by its channels, ids and field names.
 *
 *   X(name, channel, id, level, kind, fields, text)
 *
 * FIELDS names the macro that has the fields, in Windows' order: T(Name) a text, N(Name) a number,
 * H(Name) and L(Name) numbers of 32 and 64 bits that Windows shows as 0x… (also in its XML, and
 * so in ours). TEXT is Windows' own with %1 for the first field; where its text was not
 * published, one of ours (docs/events.md says which). Of the Security events' fields only those are there that mean something here, in
 * Windows' order.
 *
 * LEVEL is Windows' (winmeta.h): 2 error, 3 warning, 4 information; 0 is an audit.
 *
 * KIND says whether the journal gets it by default (JournalEvents): EVENT_OUTCOME, what has become of a
 * session; EVENT_STEP, a step on the way there, or what another event or a line of the log says.
 */
#ifndef MUSESS_EVENT_TABLE_H
#define MUSESS_EVENT_TABLE_H

#define EVENT_CHANNEL_CORE "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational"
#define EVENT_CHANNEL_RCM "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational"
#define EVENT_CHANNEL_LSM "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"
#define EVENT_CHANNEL_SMSS "Microsoft-Windows-Subsys-SMSS/Operational"
#define EVENT_CHANNEL_SECURITY "Security"

/* Laid out by hand: clang-format takes the macros for statements. */
/* clang-format off */

#define EVENT_F_NONE(T, N, H, L)
#define EVENT_F_CONNECTION(T, N, H, L) T(ConnectionName)
#define EVENT_F_ASSIGNED(T, N, H, L) T(ConnectionName) N(SessionID)
#define EVENT_F_REASON_CODE(T, N, H, L) N(ReasonCode)
#define EVENT_F_ACCEPTED(T, N, H, L) T(ConnType) T(ClientIP)
#define EVENT_F_IP(T, N, H, L) T(IPString)
#define EVENT_F_LISTENER(T, N, H, L) T(listenerName)
#define EVENT_F_TIMING(T, N, H, L) N(TotalTime) N(StackTime)
#define EVENT_F_PARAMETER(T, N, H, L) T(Param1)
#define EVENT_F_PARAMETERS(T, N, H, L) T(Param1) T(Param2) T(Param3)
#define EVENT_F_USER_ADDRESS(T, N, H, L) T(User) N(SessionID) T(Address)
#define EVENT_F_USER(T, N, H, L) T(User) N(SessionID)
#define EVENT_F_TRANSITION(T, N, H, L)                                                             \
	N(SessionId) N(State) T(StateName) N(Event) T(EventName) H(ErrorCode)
#define EVENT_F_BY(T, N, H, L) N(TargetSession) N(Source)
#define EVENT_F_REASON(T, N, H, L) N(Session) N(Reason)
#define EVENT_F_SESSION(T, N, H, L) N(SessionID)
#define EVENT_F_PROCESSES(T, N, H, L) N(SessionID) N(InitCmdPid) N(Win32kPid)
#define EVENT_F_EXECUTE(T, N, H, L) N(Flags) T(ImageName)
#define EVENT_F_EXECUTED(T, N, H, L) N(ProcessId)
#define EVENT_F_LOAD(T, N, H, L) N(SessionId) T(ImageName)
#define EVENT_F_LOADED(T, N, H, L) H(Status)
#define EVENT_F_AUDIT_LOGON(T, N, H, L)                                                            \
	T(TargetUserName) T(TargetDomainName) L(TargetLogonId) N(LogonType)                        \
	T(WorkstationName) T(IpAddress) N(IpPort)
#define EVENT_F_AUDIT_FAILED(T, N, H, L)                                                           \
	T(TargetUserName) T(TargetDomainName) H(Status) T(FailureReason) H(SubStatus) N(LogonType) \
	T(WorkstationName) T(IpAddress) N(IpPort)
#define EVENT_F_AUDIT_LOGOFF(T, N, H, L)                                                           \
	T(TargetUserName) T(TargetDomainName) L(TargetLogonId) N(LogonType)
#define EVENT_F_AUDIT_USER(T, N, H, L) T(TargetUserName) T(TargetDomainName) L(TargetLogonId)
#define EVENT_F_AUDIT_STATION(T, N, H, L)                                                          \
	T(AccountName) T(AccountDomain) L(LogonID) T(SessionName) T(ClientName) T(ClientAddress)

#define EVENT_TEXT_STATION                                                                         \
	"\n\nSubject:\n\tAccount Name:\t\t%1\n\tAccount Domain:\t\t%2\n\tLogon ID:\t\t%3"          \
	"\n\nSession:\n\tSession Name:\t\t%4"                                                      \
	"\n\nAdditional Information:\n\tClient Name:\t\t%5\n\tClient Address:\t\t%6"

#define EVENT_TABLE_CORE(X)                                                                        \
	X(EVENT_CORE_CREATED, EVENT_CHANNEL_CORE, 65, 4, EVENT_STEP, EVENT_F_CONNECTION,           \
	    "Connection %1 created")                                                               \
	X(EVENT_CORE_ASSIGNED, EVENT_CHANNEL_CORE, 66, 4, EVENT_STEP, EVENT_F_ASSIGNED,            \
	    "The connection %1 was assigned to session %2")                                        \
	X(EVENT_CORE_TCP, EVENT_CHANNEL_CORE, 98, 4, EVENT_STEP, EVENT_F_NONE,                     \
	    "A TCP connection has been successfully established.")                                 \
	X(EVENT_CORE_MULTITRANSPORT, EVENT_CHANNEL_CORE, 100, 4, EVENT_STEP, EVENT_F_NONE,         \
	    "The server has confirmed that the client's multi-transport capability.")              \
	X(EVENT_CORE_TERMINATED, EVENT_CHANNEL_CORE, 102, 4, EVENT_STEP, EVENT_F_NONE,             \
	    "The server has terminated main RDP connection with the client.")                      \
	X(EVENT_CORE_REASON, EVENT_CHANNEL_CORE, 103, 4, EVENT_STEP, EVENT_F_REASON_CODE,          \
	    "The disconnect reason is %1")                                                         \
	X(EVENT_CORE_ACCEPTED, EVENT_CHANNEL_CORE, 131, 4, EVENT_STEP, EVENT_F_ACCEPTED,           \
	    "The server accepted a new %1 connection from client %2.")                             \
	X(EVENT_CORE_LOGON_FAILED, EVENT_CHANNEL_CORE, 140, 3, EVENT_STEP, EVENT_F_IP,             \
	    "A connection from the client computer with an IP address of %1 failed because the "   \
	    "user name or password is not correct.")

#define EVENT_TABLE_RCM(X)                                                                         \
	X(EVENT_RCM_RECEIVED, EVENT_CHANNEL_RCM, 261, 4, EVENT_STEP, EVENT_F_LISTENER,             \
	    "Listener %1 received a connection")                                                   \
	X(EVENT_RCM_TIMING, EVENT_CHANNEL_RCM, 273, 4, EVENT_STEP, EVENT_F_TIMING,                 \
	    "A connection took %1 ms, of which %2 ms were the stack's")                            \
	X(EVENT_RCM_LOGON_ATTEMPTS, EVENT_CHANNEL_RCM, 1012, 4, EVENT_STEP, EVENT_F_PARAMETER,     \
	    "Remote session from client name %1 exceeded the maximum allowed failed logon "        \
	    "attempts. The session was forcibly terminated.")                                      \
	X(EVENT_RCM_DRAIN, EVENT_CHANNEL_RCM, 1070, 3, EVENT_STEP, EVENT_F_NONE,                   \
	    "A logon request was denied because the terminal server is currently in drain mode "   \
	    "and therefore not accepting new user logons. To configure the server to allow new "   \
	    "user logons, use the Terminal Services Configuration tool.")                          \
	X(EVENT_RCM_AUTHENTICATED, EVENT_CHANNEL_RCM, 1149, 4, EVENT_STEP, EVENT_F_PARAMETERS,     \
	    "Remote Desktop Services: User authentication succeeded:\n\nUser: %1\nDomain: "        \
	    "%2\nSource Network Address: %3")

#define EVENT_TABLE_LSM(X)                                                                         \
	X(EVENT_LSM_LOGON, EVENT_CHANNEL_LSM, 21, 4, EVENT_OUTCOME, EVENT_F_USER_ADDRESS,          \
	    "Remote Desktop Services: Session logon succeeded:\n\nUser: %1\nSession ID: "          \
	    "%2\nSource Network Address: %3")                                                      \
	X(EVENT_LSM_SHELL, EVENT_CHANNEL_LSM, 22, 4, EVENT_STEP, EVENT_F_USER_ADDRESS,             \
	    "Remote Desktop Services: Shell start notification received:\n\nUser: %1\nSession "    \
	    "ID: %2\nSource Network Address: %3")                                                  \
	X(EVENT_LSM_LOGOFF, EVENT_CHANNEL_LSM, 23, 4, EVENT_OUTCOME, EVENT_F_USER,                 \
	    "Remote Desktop Services: Session logoff succeeded:\n\nUser: %1\nSession ID: %2")      \
	X(EVENT_LSM_DISCONNECTED, EVENT_CHANNEL_LSM, 24, 4, EVENT_OUTCOME, EVENT_F_USER_ADDRESS,   \
	    "Remote Desktop Services: Session has been disconnected:\n\nUser: %1\nSession ID: "    \
	    "%2\nSource Network Address: %3")                                                      \
	X(EVENT_LSM_RECONNECTED, EVENT_CHANNEL_LSM, 25, 4, EVENT_OUTCOME, EVENT_F_USER_ADDRESS,    \
	    "Remote Desktop Services: Session reconnection succeeded:\n\nUser: %1\nSession ID: "   \
	    "%2\nSource Network Address: %3")                                                      \
	X(EVENT_LSM_SETUP, EVENT_CHANNEL_LSM, 34, 2, EVENT_OUTCOME, EVENT_F_NONE,                  \
	    "Remote Desktop Services is not accepting logons because setup is running.")           \
	X(EVENT_LSM_TRANSITION_FAILED, EVENT_CHANNEL_LSM, 36, 2, EVENT_OUTCOME, EVENT_F_TRANSITION, \
	    "An error occurred when transitioning from %3 in response to %5. (ErrorCode %6)")      \
	X(EVENT_LSM_TRANSITION_INVALID, EVENT_CHANNEL_LSM, 37, 2, EVENT_OUTCOME, EVENT_F_TRANSITION, \
	    "Invalid state transition from %3 in response to %5. (ErrorCode %6)")                  \
	X(EVENT_LSM_DISCONNECTED_BY, EVENT_CHANNEL_LSM, 39, 4, EVENT_STEP, EVENT_F_BY,             \
	    "Session %1 has been disconnected by session %2")                                      \
	X(EVENT_LSM_DISCONNECT_REASON, EVENT_CHANNEL_LSM, 40, 4, EVENT_OUTCOME, EVENT_F_REASON,    \
	    "Session %1 has been disconnected, reason code %2")                                    \
	X(EVENT_LSM_ARBITRATION_BEGIN, EVENT_CHANNEL_LSM, 41, 4, EVENT_STEP, EVENT_F_USER,         \
	    "Begin session arbitration:\n\nUser: %1\nSession ID: %2")                              \
	X(EVENT_LSM_ARBITRATION_END, EVENT_CHANNEL_LSM, 42, 4, EVENT_STEP, EVENT_F_USER,           \
	    "End session arbitration:\n\nUser: %1\nSession ID: %2")                                \
	X(EVENT_LSM_SLOW_CONNECT, EVENT_CHANNEL_LSM, 43, 2, EVENT_OUTCOME, EVENT_F_SESSION,        \
	    "Windows Subsystem has taken too long to process Connect event for session %1")        \
	X(EVENT_LSM_SLOW_DISCONNECT, EVENT_CHANNEL_LSM, 44, 2, EVENT_OUTCOME, EVENT_F_SESSION,     \
	    "Windows Subsystem has taken too long to process Disconnect event for session %1")     \
	X(EVENT_LSM_SLOW_TERMINATE, EVENT_CHANNEL_LSM, 45, 2, EVENT_OUTCOME, EVENT_F_SESSION,      \
	    "Windows Subsystem has taken too long to process Terminate event for session %1")      \
	X(EVENT_LSM_STARTED, EVENT_CHANNEL_LSM, 57, 4, EVENT_STEP, EVENT_F_PROCESSES,              \
	    "Session %1 has started with Initial Command Process ID %2 and Windows Subsystem "     \
	    "Process ID %3")                                                                       \
	X(EVENT_LSM_ENDED, EVENT_CHANNEL_LSM, 58, 4, EVENT_STEP, EVENT_F_PROCESSES,                \
	    "Session %1 has ended, which had Initial Command Process ID %2 and Windows "           \
	    "Subsystem Process ID %3")

#define EVENT_TABLE_SMSS(X)                                                                        \
	X(EVENT_SMSS_EXECUTE, EVENT_CHANNEL_SMSS, 1, 4, EVENT_STEP, EVENT_F_EXECUTE,               \
	    "Starting the image %2 with flags %1")                                                 \
	X(EVENT_SMSS_EXECUTED, EVENT_CHANNEL_SMSS, 2, 4, EVENT_STEP, EVENT_F_EXECUTED,             \
	    "The image has started with Process ID %1")                                            \
	X(EVENT_SMSS_LOAD, EVENT_CHANNEL_SMSS, 23, 4, EVENT_STEP, EVENT_F_LOAD,                    \
	    "Loading the subsystem %2 in session %1")                                              \
	X(EVENT_SMSS_LOADED, EVENT_CHANNEL_SMSS, 24, 4, EVENT_STEP, EVENT_F_LOADED,                \
	    "The subsystem has been loaded with status %1")

#define EVENT_TABLE_SECURITY(X)                                                                    \
	X(EVENT_SECURITY_LOGON, EVENT_CHANNEL_SECURITY, 4624, 0, EVENT_STEP, EVENT_F_AUDIT_LOGON,  \
	    "An account was successfully logged on.\n\nLogon Information:\n\tLogon Type:\t\t%4"    \
	    "\n\nNew Logon:\n\tAccount Name:\t\t%1\n\tAccount Domain:\t\t%2\n\tLogon ID:\t\t%3"    \
	    "\n\nNetwork Information:\n\tWorkstation Name:\t%5\n\tSource Network Address:\t%6"     \
	    "\n\tSource Port:\t\t%7")                                                              \
	X(EVENT_SECURITY_LOGON_FAILED, EVENT_CHANNEL_SECURITY, 4625, 0, EVENT_STEP, EVENT_F_AUDIT_FAILED, \
	    "An account failed to log on.\n\nLogon Type:\t\t\t%6"                                  \
	    "\n\nAccount For Which Logon Failed:\n\tAccount Name:\t\t%1\n\tAccount "               \
	    "Domain:\t\t%2\n\nFailure Information:\n\tFailure Reason:\t\t%4\n\tStatus:\t\t\t%3"    \
	    "\n\tSub Status:\t\t%5\n\nNetwork Information:\n\tWorkstation Name:\t%7"               \
	    "\n\tSource Network Address:\t%8\n\tSource Port:\t\t%9")                               \
	X(EVENT_SECURITY_LOGOFF, EVENT_CHANNEL_SECURITY, 4634, 0, EVENT_STEP, EVENT_F_AUDIT_LOGOFF, \
	    "An account was logged off.\n\nSubject:\n\tAccount Name:\t\t%1\n\tAccount "            \
	    "Domain:\t\t%2\n\tLogon ID:\t\t%3\n\nLogon Type:\t\t\t%4")                             \
	X(EVENT_SECURITY_USER_LOGOFF, EVENT_CHANNEL_SECURITY, 4647, 0, EVENT_STEP, EVENT_F_AUDIT_USER, \
	    "User initiated logoff:\n\nSubject:\n\tAccount Name:\t\t%1\n\tAccount "                \
	    "Domain:\t\t%2\n\tLogon ID:\t\t%3")                                                    \
	X(EVENT_SECURITY_RECONNECTED, EVENT_CHANNEL_SECURITY, 4778, 0, EVENT_STEP, EVENT_F_AUDIT_STATION, \
	    "A session was reconnected to a Window Station." EVENT_TEXT_STATION)                   \
	X(EVENT_SECURITY_DISCONNECTED, EVENT_CHANNEL_SECURITY, 4779, 0, EVENT_STEP, EVENT_F_AUDIT_STATION, \
	    "A session was disconnected from a Window Station." EVENT_TEXT_STATION)

#define EVENT_TABLE(X)                                                                             \
	EVENT_TABLE_CORE(X)                                                                        \
	EVENT_TABLE_RCM(X)                                                                         \
	EVENT_TABLE_LSM(X)                                                                         \
	EVENT_TABLE_SMSS(X)                                                                        \
	EVENT_TABLE_SECURITY(X)

/* clang-format on */

#endif
