-- Run once by the database's image: the role of the agents. What it may do is given by `fleet init --grant`.
\getenv agent_password FLEET_AGENT_PASSWORD
CREATE ROLE lead_factory_agent LOGIN PASSWORD :'agent_password';
