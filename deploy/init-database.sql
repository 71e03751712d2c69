-- PostgreSQL's image runs this once, as the superuser, when compose.yaml makes the database. Nobody needs
-- that login again: the owner migrates without the right to make roles, and the service has a login of its
-- own.
\set owner_password `cat /run/secrets/owner_password`
\set service_password `cat /run/secrets/service_password`

create role pacioli_service nologin;
create role pacioli_admin nologin;
create role pacioli_owner login password :'owner_password';
create role pacioli_app login password :'service_password' in role pacioli_service;
create database pacioli owner pacioli_owner;
